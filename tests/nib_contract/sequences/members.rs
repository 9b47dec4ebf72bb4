//! Random changes of the registry, of streams and of policies, and every question about them.

use std::collections::BTreeMap;

use pdsno::domain::controller::{ControllerId, ControllerName, Region, Role};
use pdsno::domain::device::Version;
use pdsno::domain::digest::Digest;
use pdsno::domain::fact::FactVersions;
use pdsno::domain::number::{Epoch, PolicyVersion, Serial, StreamSeq};
use pdsno::domain::policy::PolicyRow;
use pdsno::domain::registry::{Blocked, ControllerRow, Membership, NextCertificate, RegistryChange, Standing};
use pdsno::domain::stream::{Sighting, Stream, StreamChange};
use pdsno::domain::token::{TokenRow, TokenUse};
use pdsno::nib::{Change, NibReader};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

use crate::members::{controller, document, issue, key, token, token_id};
use crate::samples::{at, id, insert};

/// Tokens, keys, names and reporters are few, so that they meet.
const FEW: u8 = 6;

/// A change, before it is known what is in the NIB.
#[derive(Debug, Clone)]
pub enum Intent {
    /// As it is.
    Plain(Change),
    /// With the next numbers, but for what is added to them; with a token that can be used, or this
    /// one.
    Admit(ControllerRow, (u32, u64), bool),
    /// From the row that is there, or from none.
    Update(u8, Amendment, bool),
    /// What follows the last item that was received, but for what is added.
    Receive(u8, Stream, u64, u64),
    /// From the version that is there, or from this one.
    Belong(Membership, bool),
}

#[derive(Debug, Clone)]
pub enum Amendment {
    Standing(Standing, Option<i64>),
    /// A next certificate with this key, and the next number but for what is added.
    Prepare(u8, u64),
    /// The next certificate becomes the present one.
    Turn,
    /// A certificate out of nowhere.
    Invent(u8, u64),
}

fn regions() -> impl Strategy<Value = Region> {
    select(&["zone-A", "zone-A", "zone-A", "zoneA", "zone-B"][..]).prop_map(|text| text.parse().unwrap())
}

fn streams() -> impl Strategy<Value = Stream> {
    select(&Stream::ALL[..])
}

fn reporter(number: u8) -> ControllerId {
    format!("local_cntl_zoneA_{number}").parse().unwrap()
}

/// What makes the first intents possible: tokens and devices.
pub fn beginning() -> Vec<Change> {
    (0..FEW).map(issue).chain((1..4).map(insert)).collect()
}

/// Mostly nothing.
fn slip<T: Clone + std::fmt::Debug + From<u8> + 'static>() -> impl Strategy<Value = T> {
    prop_oneof![9 => Just(T::from(0)), 1 => Just(T::from(1))]
}

fn amendments() -> impl Strategy<Value = Amendment> {
    prop_oneof![
        (select(&Standing::ALL[..]), of(-3..3_i64)).prop_map(|(standing, heard)| Amendment::Standing(standing, heard)),
        (0..4 * FEW, slip()).prop_map(|(key, over)| Amendment::Prepare(key, over)),
        Just(Amendment::Turn),
        (0..2 * FEW, 2..8_u64).prop_map(|(key, serial)| Amendment::Invent(key, serial)),
    ]
}

fn tokens() -> impl Strategy<Value = RegistryChange> {
    prop_oneof![
        4 => (0..FEW, any::<bool>(), regions()).prop_map(|(number, local, region)| {
            let role = if local { Role::Local } else { Role::Regional };
            RegistryChange::IssueToken(TokenRow { role, region, ..token(number) })
        }),
        2 => (0..FEW, 0..3_u8).prop_map(|(number, from)| RegistryChange::WrongProof { token: token_id(number), from }),
        1 => (0..FEW).prop_map(|number| RegistryChange::RevokeToken { token: token_id(number), at: at(1) }),
    ]
}

fn blocks() -> impl Strategy<Value = RegistryChange> {
    let blocked =
        prop_oneof![(0..FEW).prop_map(|number| Blocked::Key(key(number))), "[a-c]{0,1}".prop_map(Blocked::Source),];
    (blocked, of("[a-z]{0,2}")).prop_map(|(blocked, reason)| match reason {
        Some(reason) => RegistryChange::Block { blocked, reason, at: at(0) },
        None => RegistryChange::Unblock(blocked),
    })
}

fn admissions() -> impl Strategy<Value = Intent> {
    (0..FEW, 0..4 * FEW, any::<bool>(), regions(), slip::<u32>(), slip::<u64>(), prop::bool::weighted(0.85)).prop_map(
        |(token, owned, local, region, number, serial, usable)| {
            let role = if local { Role::Local } else { Role::Regional };
            let row = ControllerRow { token: token_id(token), public_key: key(owned), role, region, ..controller(1) };
            Intent::Admit(row, (number, serial), usable)
        },
    )
}

fn memberships() -> impl Strategy<Value = Intent> {
    (1..3_u32, of("[ab]"), of("[ab]"), 1..3_u32, any::<bool>()).prop_map(|(number, file, chain, version, current)| {
        let membership = Membership {
            cluster: "site-1".parse().unwrap(),
            id: ControllerName::Global(number).id(),
            role: Role::Global,
            region: None,
            parent: None,
            pin: Digest::from_bytes([3; 32]),
            chain: document("chain"),
            serial: Serial::from_number(1),
            key_file: "1.pem".to_owned(),
            next_key_file: file,
            next_chain: chain.map(|text| document(&text)),
            epoch: Epoch::from_number(1),
            since: at(0),
            version: Version::from_number(version),
        };
        Intent::Belong(membership, current)
    })
}

fn stream_changes() -> impl Strategy<Value = Change> {
    let seqs = || prop_oneof![8 => 0..6_u64, 1 => Just(u64::MAX)].prop_map(StreamSeq::from_number);
    prop_oneof![
        4 => (streams(), "\\{\\}|\\[[0-9]\\]|no").prop_map(|(stream, body)| {
            Change::Stream(StreamChange::Enqueue { stream, body, at: at(2) })
        }),
        2 => (streams(), seqs()).prop_map(|(stream, up_to)| {
            Change::Stream(StreamChange::Acknowledge { stream, up_to })
        }),
        1 => (streams(), seqs()).prop_map(|(stream, last)| {
            Change::Stream(StreamChange::Discard { stream, last })
        }),
        3 => (0..FEW, 0..FEW, 0..8_u32, any::<bool>(), seqs()).prop_map(|(from, there, here, is_active, told_by)| {
            let (reporter, reported) = (reporter(from), id(there.into()));
            let (device, last_seen, facts) = (id(here), at(3), FactVersions::default());
            Change::PutSighting(Sighting { reporter, reported, device, last_seen, is_active, told_by, facts })
        }),
        1 => (0..FEW, 0..FEW).prop_map(|(from, there)| {
            Change::DropSighting { reporter: reporter(from), reported: id(there.into()) }
        }),
        2 => (0..9_u64).prop_map(|version| Change::PutPolicy(PolicyRow {
            version: PolicyVersion::from_number(version),
            document: document("policy"),
            issued_at: at(0),
            expires_at: at(9),
            taken_at: at(1),
        })),
    ]
}

pub fn intents() -> impl Strategy<Value = Intent> {
    let mostly = || prop::bool::weighted(0.85);
    prop_oneof![
        4 => tokens().prop_map(|change| Intent::Plain(Change::Registry(change))),
        1 => blocks().prop_map(|change| Intent::Plain(Change::Registry(change))),
        6 => admissions(),
        5 => (any::<u8>(), amendments(), mostly()).prop_map(|(which, how, current)| Intent::Update(which, how, current)),
        1 => memberships(),
        6 => stream_changes().prop_map(Intent::Plain),
        2 => (0..FEW, streams(), slip(), slip())
            .prop_map(|(from, stream, after, over)| Intent::Receive(from, stream, after, over)),
    ]
}

/// The change that was meant, as seen from what has been committed.
pub fn change(intent: &Intent, reader: &dyn NibReader) -> Change {
    match intent {
        Intent::Plain(change) => change.clone(),
        Intent::Admit(row, (number, serial), usable) => {
            let mut tokens = reader.tokens(None, usize::MAX).unwrap();
            tokens.retain(|token| *usable && token.used.is_none() && token.revoked_at.is_none());
            let token = tokens.first().map_or(row.token, |token| token.id);
            let slug = row.region.slug();
            let number = reader.next_name(row.role, &slug).unwrap() + number;
            let serial = Serial::from_number(reader.next_serial().unwrap().number() + serial);
            let name = match row.role {
                Role::Regional => ControllerName::Regional(slug, number),
                _ => ControllerName::Local(slug, number),
            };
            let row = ControllerRow { id: name.id(), serial, token, ..row.clone() };
            let used = TokenUse { public_key: row.public_key, controller_id: row.id.clone(), at: at(4) };
            Change::Registry(RegistryChange::Admit { used, number, controller: Box::new(row) })
        }
        Intent::Update(which, how, current) => {
            let rows = reader.controllers(None, usize::MAX).unwrap();
            let mut row = match rows.len() {
                0 => controller(1),
                count => rows[usize::from(*which) % count].clone(),
            };
            amend(&mut row, how, reader);
            if !current {
                row.version = row.version.next();
            }
            Change::Registry(RegistryChange::UpdateController(Box::new(row)))
        }
        Intent::Receive(from, stream, back, over) => {
            let from = reporter(*from);
            let last = reader.received(&from, *stream).unwrap().number();
            let [after, seq] = [last.saturating_sub(*back), last + 1 + over].map(StreamSeq::from_number);
            Change::Stream(StreamChange::Receive { from, stream: *stream, after, seq })
        }
        Intent::Belong(membership, current) => {
            let found = reader.membership().unwrap().filter(|_| *current);
            let version = found.map_or(membership.version, |found| found.version);
            Change::Registry(RegistryChange::SetMembership(Box::new(Membership { version, ..membership.clone() })))
        }
    }
}

fn amend(row: &mut ControllerRow, how: &Amendment, reader: &dyn NibReader) {
    match how {
        Amendment::Standing(standing, heard) => {
            row.standing = *standing;
            row.last_contact = heard.map(at);
            row.metadata = BTreeMap::new();
        }
        Amendment::Prepare(number, over) => {
            let serial = Serial::from_number(reader.next_serial().unwrap().number() + over);
            let (certificate, delegation) = (document("next"), None);
            row.next = Some(NextCertificate { serial, public_key: key(*number), certificate, delegation });
        }
        Amendment::Turn => {
            if let Some(next) = row.next.take() {
                row.serial = next.serial;
                row.public_key = next.public_key;
                row.certificate = next.certificate;
            }
        }
        Amendment::Invent(number, serial) => {
            row.serial = Serial::from_number(*serial);
            row.public_key = key(*number);
        }
    }
}

/// Asks both everything.
pub fn compare(one: &dyn NibReader, other: &dyn NibReader) {
    macro_rules! same {
        ($reader:ident => $question:expr) => {{
            let ask = |$reader: &dyn NibReader| $question.unwrap();
            assert_eq!(ask(one), ask(other), stringify!($question));
        }};
    }
    same!(reader => reader.membership());
    same!(reader => reader.tokens(None, usize::MAX));
    same!(reader => reader.controllers(None, usize::MAX));
    same!(reader => reader.regions());
    same!(reader => reader.next_serial());
    same!(reader => reader.blocklist());
    same!(reader => reader.policy());
    same!(reader => reader.policies(PolicyVersion::from_number(2), 2));
    for region in ["zone-A", "zoneA", "zone-B"].map(|text| text.parse::<Region>().unwrap()) {
        for role in Role::ALL {
            same!(reader => reader.next_name(role, &region.slug()));
            same!(reader => reader.count_controllers(role, &region));
        }
    }
    for stream in Stream::ALL {
        same!(reader => reader.position(stream));
        same!(reader => reader.outbox(stream, StreamSeq::from_number(1), 3));
    }
    for number in 0..FEW {
        let (from, there) = (reporter(number), id(number.into()));
        same!(reader => reader.token(token_id(number)));
        same!(reader => reader.tokens(Some(token_id(number)), 2));
        same!(reader => reader.controller(&from));
        same!(reader => reader.controllers(Some(&from), 1));
        same!(reader => reader.controller_by_key(&key(2 * number)));
        same!(reader => reader.sightings_of(there));
        same!(reader => reader.sightings_by(&from, Some(id(2)), 2));
        same!(reader => reader.sighting(&from, there));
        for stream in Stream::ALL {
            same!(reader => reader.received(&from, stream));
        }
    }
}
