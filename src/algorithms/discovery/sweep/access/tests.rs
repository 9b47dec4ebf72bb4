//! Conversations by several credentials, with an agent that sweeps of other tests ask, too.

use std::cell::OnceCell;
use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;
use crate::algorithms::discovery::credentials::prepare;
use crate::domain::credential::{
    Access as Asked, AuthProtocol, ContextName, Credential, Passphrase, PrivacyProtocol, User, UserName,
};
use crate::domain::secret::Community;
use crate::wire::mib;
use crate::wire::snmp::Value;
use crate::wire::usm::keys::MasterKeys;

const NOW: Duration = Duration::from_secs(1);

/// A user of SHA-256 and AES-128, in private.
pub fn user(name: &str, password: &str) -> User {
    User {
        name: UserName::new(name).unwrap(),
        authentication: (AuthProtocol::Sha256, Passphrase::new(password).unwrap()),
        privacy: Some((PrivacyProtocol::Aes128, Passphrase::new("in private").unwrap())),
        context: ContextName::default(),
    }
}

/// A credential for all subnets.
pub fn by_user(user: User) -> Credential {
    Credential { subnets: Vec::new(), access: Asked::User(user) }
}

/// A credential for all subnets.
pub fn by_community(text: &str) -> Credential {
    Community::new(text).unwrap().into()
}

/// An agent of SNMP v3 with one user.
pub struct Agent {
    /// Its name.
    pub engine: EngineId,
    boots: u32,
    time: u32,
    user: User,
    /// Answers what it cannot authenticate with a report, as it should.
    reports: bool,
    keys: OnceCell<LocalKeys>,
}

impl Agent {
    /// An agent that has started four times.
    pub fn new(user: User) -> Self {
        let (engine, keys) = ("80001f880455667788".parse().unwrap(), OnceCell::new());
        Self { engine, boots: 4, time: 1_000, user, reports: true, keys }
    }

    /// What it says to a message, if anything.
    pub fn answer(&self, datagram: &[u8]) -> Option<Vec<u8>> {
        let sealed = Sealed::read(datagram).ok()?;
        let asked = sealed.head();
        let keys = self.keys.get_or_init(|| MasterKeys::derive(&self.user).localise(&self.engine));
        let (mut cause, mut protection) = (None, Protection::Plain);
        if asked.security.engine != self.engine.as_bytes() {
            cause = Some(ReportCause::UnknownEngine);
        } else if asked.security.user != self.user.name.as_str().as_bytes() {
            cause = Some(ReportCause::UnknownUser);
        } else if sealed.level() != Level::Private {
            cause = Some(ReportCause::UnsupportedLevel);
        } else if sealed.open(Some(keys)) == Err(MessageError::Digest) {
            cause = Some(ReportCause::WrongDigest);
        } else if asked.security.boots != self.boots || asked.security.time.abs_diff(self.time) > 150 {
            (cause, protection) = (Some(ReportCause::NotInTimeWindow), Protection::Authentic(&keys.authentication));
        }
        if cause.is_some_and(|cause| cause != ReportCause::UnknownEngine) && !self.reports {
            return None;
        }
        let pdu = match cause {
            Some(cause) => cause.report(0, 1),
            None => {
                protection = Protection::best(keys, 99);
                let question = sealed.open(Some(keys)).ok()?.pdu;
                let varbinds = vec![(mib::SYS_NAME, Value::OctetString(b"core-1".to_vec()))];
                Pdu { kind: PduKind::Response, varbinds, ..question }
            }
        };
        let security = SecurityParameters {
            engine: self.engine.as_bytes().to_vec(),
            boots: self.boots,
            time: self.time,
            user: asked.security.user.clone(),
        };
        let head = Head { id: asked.id, max_size: 65_507, reportable: false, security };
        let scoped = ScopedPdu { context_engine: self.engine.as_bytes().to_vec(), context_name: Vec::new(), pdu };
        let mut out = Vec::new();
        encode(&mut out, &head, &scoped, protection);
        Some(out)
    }
}

/// Asks until something is settled; what was sent of each kind tells of the way there.
fn converse(
    credentials: &[Credential],
    mut agent: impl FnMut(&[u8]) -> Option<Vec<u8>>,
) -> (Access, Heard, Vec<Vec<u8>>) {
    let mut desk = Desk::new(prepare(credentials), 1);
    let mut access = Access::new((0..).zip(credentials).map(|(number, _)| number).collect(), &desk);
    let mut sent = Vec::new();
    for base in (1..40).map(|turn| turn * 16) {
        let mut heard = None;
        for packet in 0..access.packets() {
            let mut out = Vec::new();
            access.write(packet, base, Pdu::get(base, &[mib::SYS_NAME]), &mut desk, NOW, &mut out);
            sent.push(out.clone());
            heard = heard.or_else(|| agent(&out));
        }
        let heard = heard.map(|datagram| access.hear(&datagram, base, &desk, NOW));
        match heard {
            Some(Heard::Again) => {}
            None | Some(Heard::Stray) => {
                if !access.silence(base, &desk) {
                    return (access, Heard::Stray, sent);
                }
            }
            Some(last) => return (access, last, sent),
        }
    }
    panic!("it does not end")
}

fn says(datagram: &[u8], text: &str) -> bool {
    datagram.windows(text.len()).any(|octets| octets == text.as_bytes())
}

#[test]
fn a_user_is_answered_after_the_engine_told_its_name() {
    let agent = Agent::new(user("monitor", "correct horse"));
    let (access, heard, sent) = converse(&[by_user(agent.user.clone())], |asked| agent.answer(asked));
    assert!(matches!(heard, Heard::Answer(_)), "{heard:?}");
    assert_eq!(sent.len(), 2);
    assert_eq!(access.engine(), Some(SnmpEngine { engine_id: agent.engine.clone(), boots: 4 }));
    let asked = Sealed::read(&sent[1]).unwrap();
    assert_eq!((asked.level(), asked.head().security.boots, asked.head().security.time), (Level::Private, 4, 1_000));
    assert_eq!(asked.head().max_size, LONGEST_ANSWER);
    // Each encrypted message has a salt of its own.
    assert!(!says(&sent[1], "core"));
}

#[test]
fn what_is_preferred_is_tried_first_and_nothing_weaker_said_meanwhile() {
    let agent = Agent::new(user("monitor", "correct horse"));
    let credentials = [by_user(agent.user.clone()), by_community("public")];
    let (_, heard, sent) = converse(&credentials, |asked| agent.answer(asked));
    assert!(matches!(heard, Heard::Answer(_)));
    assert!(sent.iter().all(|datagram| !says(datagram, "public")));
    // The other way round the community is silence, and then it is the user's turn.
    let credentials = [by_community("one"), by_community("two"), by_user(agent.user.clone())];
    let (_, heard, sent) = converse(&credentials, |asked| agent.answer(asked));
    assert!(matches!(heard, Heard::Answer(_)));
    assert_eq!(
        sent.iter().map(|datagram| says(datagram, "one") || says(datagram, "two")).collect::<Vec<_>>(),
        [true, true, false, false]
    );
}

#[test]
fn an_agent_without_snmp_v3_is_asked_for_its_engine_once() {
    let credentials =
        [by_user(user("one", "correct horse")), by_user(user("two", "correct horse")), by_community("public")];
    let answer = |asked: &[u8]| {
        let message = snmp::decode(asked).ok()?;
        let mut out = Vec::new();
        snmp::encode(&mut out, &message.community, &Pdu { kind: PduKind::Response, ..message.pdu });
        Some(out)
    };
    let (access, heard, sent) = converse(&credentials, answer);
    assert!(matches!(heard, Heard::Answer(_)));
    assert_eq!((sent.len(), access.engine(), access.refusal()), (2, None, None));
}

#[test]
fn each_refusal_is_told_by_its_reason() {
    let right = user("monitor", "correct horse");
    let agent = Agent::new(right.clone());
    let failure = |credentials: &[Credential], agent: &Agent| {
        let (access, heard, _) = converse(credentials, |asked| agent.answer(asked));
        assert!(!matches!(heard, Heard::Answer(_)));
        access.refusal()
    };
    let stranger = by_user(user("nobody", "correct horse"));
    assert_eq!(failure(&[stranger], &agent), Some(SnmpFailure::UnknownUser));
    let wrong = by_user(user("monitor", "battery staple"));
    assert_eq!(failure(std::slice::from_ref(&wrong), &agent), Some(SnmpFailure::WrongPassword));
    let in_clear = by_user(User { privacy: None, ..right.clone() });
    assert_eq!(failure(&[in_clear], &agent), Some(SnmpFailure::UnsupportedLevel));
    // An agent that says nothing to what it cannot authenticate, as some do.
    let mute = Agent { reports: false, ..Agent::new(right.clone()) };
    assert_eq!(failure(std::slice::from_ref(&wrong), &mute), Some(SnmpFailure::UserUnanswered));
    // Who is refused is followed by the next.
    let (access, heard, _) = converse(&[wrong, by_user(right)], |asked| agent.answer(asked));
    assert!(matches!(heard, Heard::Answer(_)));
    assert!(access.engine().is_some());
}

#[test]
fn of_all_who_were_refused_the_reason_is_told_that_tells_most() {
    let right = user("monitor", "correct horse");
    let agent = Agent::new(right.clone());
    let stranger = (by_user(user("nobody", "correct horse")), SnmpFailure::UnknownUser);
    let in_clear = (by_user(User { privacy: None, ..right }), SnmpFailure::UnsupportedLevel);
    let wrong = (by_user(user("monitor", "battery staple")), SnmpFailure::WrongPassword);
    let silent = (by_community("private"), SnmpFailure::Timeout);
    let all = [&stranger, &in_clear, &wrong, &silent];
    // Whoever of them is tried, and in whatever order.
    for order in all.iter().flat_map(|first| all.map(|second| [*first, second])) {
        let credentials = order.map(|(credential, _)| credential.clone());
        let (access, heard, _) = converse(&credentials, |asked| agent.answer(asked));
        assert!(!matches!(heard, Heard::Answer(_)));
        let most = order.iter().map(|(_, reason)| *reason).max();
        assert_eq!(access.refusal().or(Some(SnmpFailure::Timeout)), most, "{order:?}");
    }
}

#[test]
fn a_clock_that_was_told_wrongly_is_set_by_an_authenticated_report() {
    let agent = Agent::new(user("monitor", "correct horse"));
    let mut turn = 0;
    let (access, heard, sent) = converse(&[by_user(agent.user.clone())], |asked| {
        turn += 1;
        // The first word of an engine is not authenticated: here it is somebody else's.
        match turn {
            1 => Agent { boots: 90, ..Agent::new(agent.user.clone()) }.answer(asked),
            _ => agent.answer(asked),
        }
    });
    assert!(matches!(heard, Heard::Answer(_)), "{heard:?}");
    assert_eq!((sent.len(), access.engine().map(|engine| engine.boots)), (3, Some(4)));
}

#[test]
fn an_engine_whose_clock_never_agrees_is_left() {
    let mut agent = Agent::new(user("monitor", "correct horse"));
    let (access, heard, sent) = converse(&[by_user(agent.user.clone())], |asked| {
        agent.boots += 1;
        agent.answer(asked)
    });
    assert_eq!((heard, access.refusal()), (Heard::Refused, Some(SnmpFailure::NotInTimeWindow)));
    assert!(sent.len() < 8, "{}", sent.len());
}

#[test]
fn an_engine_that_changes_its_name_without_end_is_left() {
    let agent = Agent::new(user("monitor", "correct horse"));
    let mut last = 0_u8;
    let (access, heard, _) = converse(&[by_user(agent.user.clone())], |asked| {
        last += 1;
        let engine = EngineId::try_from(&[0x80, 0, 0, 9, last][..]).unwrap();
        Agent { engine, ..Agent::new(agent.user.clone()) }.answer(asked)
    });
    assert_eq!((heard, access.refusal()), (Heard::Refused, Some(SnmpFailure::UnknownEngine)));
}

#[test]
fn an_answer_that_was_tampered_with_or_played_again_is_none() {
    let agent = Agent::new(user("monitor", "correct horse"));
    let mut desk = Desk::new(prepare(&[by_user(agent.user.clone())]), 1);
    let mut access = Access::new(vec![0], &desk);
    let mut out = Vec::new();
    let mut asked = |access: &mut Access, desk: &mut Desk, base, now| {
        access.write(0, base, Pdu::get(base, &[mib::SYS_NAME]), desk, now, &mut out);
        agent.answer(&out).unwrap()
    };
    let report = asked(&mut access, &mut desk, 16, NOW);
    assert_eq!(access.hear(&report, 16, &desk, NOW), Heard::Again);
    let answer = asked(&mut access, &mut desk, 32, NOW);
    assert_eq!(access.hear(&report, 32, &desk, NOW), Heard::Stray);
    let mut tampered = answer.clone();
    *tampered.last_mut().unwrap() ^= 1;
    assert_eq!(access.hear(&tampered, 32, &desk, NOW), Heard::Stray);
    // Of an earlier start of the engine.
    let old = Agent { boots: 3, ..Agent::new(agent.user.clone()) };
    assert!(matches!(access.hear(&answer, 32, &desk, NOW), Heard::Answer(_)));
    access.write(0, 48, Pdu::get(48, &[mib::SYS_NAME]), &mut desk, NOW, &mut out);
    let mut earlier = Vec::new();
    let keys = MasterKeys::derive(&agent.user).localise(&agent.engine);
    let scoped = ScopedPdu {
        context_engine: Vec::new(),
        context_name: Vec::new(),
        pdu: Pdu { kind: PduKind::Response, ..Pdu::get(48, &[]) },
    };
    let security = SecurityParameters {
        engine: agent.engine.as_bytes().to_vec(),
        boots: old.boots,
        time: 9_000,
        user: b"monitor".to_vec(),
    };
    let head = Head { id: 48, max_size: 1_472, reportable: false, security };
    encode(&mut earlier, &head, &scoped, Protection::best(&keys, 5));
    assert_eq!(access.hear(&earlier, 48, &desk, NOW), Heard::Stray);
    // Not encrypted, although it was asked in private.
    encode(
        &mut earlier,
        &Head { security: SecurityParameters { boots: 4, time: 1_000, ..head.security.clone() }, ..head },
        &scoped,
        Protection::Authentic(&keys.authentication),
    );
    assert_eq!(access.hear(&earlier, 48, &desk, NOW), Heard::Stray);
}

/// What an agent of SNMP v3 says, which is one of v2c as well if it knows the community.
fn answer_in_any_version(agent: &Agent, knows_community: bool, asked: &[u8]) -> Option<Vec<u8>> {
    let Ok(message) = snmp::decode(asked) else { return agent.answer(asked) };
    let mut out = Vec::new();
    snmp::encode(&mut out, &message.community, &Pdu { kind: PduKind::Response, ..message.pdu });
    (knows_community && message.community == b"public").then_some(out)
}

/// Asks an agent whose replies come as many rounds late as it says. Tells whether it was answered, and in how
/// many rounds it was asked.
fn converse_late(
    credentials: &[Credential],
    mut agent: impl FnMut(&[u8]) -> Option<Vec<u8>>,
    mut late: impl FnMut() -> usize,
) -> (Access, bool, usize) {
    let mut desk = Desk::new(prepare(credentials), 1);
    let mut access = Access::new((0..).zip(credentials).map(|(number, _)| number).collect(), &desk);
    let (mut under_way, mut rounds, mut base, mut asks) = (VecDeque::new(), 0, 16, true);
    for turn in 0.. {
        if asks {
            rounds += 1;
            for packet in 0..access.packets() {
                let mut out = Vec::new();
                access.write(packet, base, Pdu::get(base, &[mib::SYS_NAME]), &mut desk, NOW, &mut out);
                under_way.extend(agent(&out).map(|reply| (turn + late(), reply)));
            }
        }
        let mut again = false;
        for (due, reply) in std::mem::take(&mut under_way) {
            if due > turn {
                under_way.push_back((due, reply));
                continue;
            }
            match access.hear(&reply, base, &desk, NOW) {
                Heard::Answer(_) | Heard::Late(Some(_)) => return (access, true, rounds),
                Heard::Again | Heard::Late(None) => (again, base) = (true, base + 16),
                Heard::Refused | Heard::Stray | Heard::Unreadable => {}
            }
        }
        if !again && asks && access.silence(base, &desk) {
            (again, base) = (true, base + 16);
        }
        asks = again;
        if !asks && under_way.is_empty() {
            return (access, false, rounds);
        }
    }
    unreachable!("turns are endless")
}

#[test]
fn what_comes_late_is_gone_on_with() {
    let agent = Agent::new(user("monitor", "correct horse"));
    let right = by_user(agent.user.clone());
    let stranger = by_user(user("nobody", "correct horse"));
    let other = by_community("other");
    // The first word comes when the next credentials are being asked, or when nobody is.
    for credentials in [
        vec![right.clone(), other.clone()],
        vec![other.clone(), right.clone(), other.clone()],
        vec![stranger.clone(), right.clone(), other.clone()],
        vec![stranger, other, right],
    ] {
        for by in 1..4 {
            let mut first = true;
            let late = || if std::mem::take(&mut first) { by } else { 0 };
            let (access, answered, _) = converse_late(&credentials, |asked| agent.answer(asked), late);
            assert!(answered, "{credentials:?}, {by} late");
            assert_eq!(access.engine().map(|engine| engine.engine_id), Some(agent.engine.clone()));
        }
    }
    // A community, and the answer of a user.
    let (_, answered, _) = converse_late(
        &[by_community("public"), by_user(agent.user.clone())],
        |asked| answer_in_any_version(&agent, true, asked),
        || 1,
    );
    assert!(answered);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn however_late_an_agent_is_it_is_asked_no_more_than_a_plan_says(
        order in Just(vec![0, 1, 2, 3, 4, 5]).prop_shuffle(),
        count in 1_usize..=6,
        delays in prop::collection::vec(0_usize..6, 1..12),
        knows_community: bool,
        corrects: bool,
    ) {
        let mut agent = Agent::new(user("monitor", "correct horse"));
        let kinds = [
            by_user(agent.user.clone()),
            by_user(user("nobody", "correct horse")),
            by_user(user("monitor", "battery staple")),
            by_community("public"),
            by_community("private"),
            by_community("other"),
        ];
        let credentials: Vec<Credential> = order.iter().take(count).map(|kind| kinds[*kind].clone()).collect();
        let plan = rounds(&mut Desk::new(prepare(&credentials), 1), &Pdu::get(16, &[mib::SYS_NAME])).len();
        let mut delays = delays.into_iter().cycle();
        let answer = |asked: &[u8]| {
            agent.boots += u32::from(corrects);
            answer_in_any_version(&agent, knows_community, asked)
        };
        let (_, _, asked) = converse_late(&credentials, answer, || delays.next().unwrap());
        prop_assert!(asked <= plan + usize::from(MOST_CORRECTIONS), "{asked} rounds, and {plan} planned");
    }
}

#[test]
fn keys_are_localised_once_for_a_user_and_an_engine() {
    let agent = Agent::new(user("monitor", "correct horse"));
    let mut desk = Desk::new(prepare(&[by_user(agent.user.clone())]), 1);
    let (first, _) = desk.keys(0, &agent.engine).unwrap();
    assert!(Arc::ptr_eq(&first, &desk.keys(0, &agent.engine).unwrap().0));
    let other: EngineId = "80001f8804aabbccdd".parse().unwrap();
    assert!(!Arc::ptr_eq(&first, &desk.keys(0, &other).unwrap().0));
}

#[test]
fn a_credential_is_used_where_it_holds() {
    let here = Credential { subnets: vec!["10.0.1.0/24".parse().unwrap()], ..by_community("here") };
    let desk = Desk::new(prepare(&[here, by_community("everywhere")]), 1);
    assert_eq!(desk.tries([10, 0, 1, 7].into()), [0, 1]);
    assert_eq!(desk.tries([10, 0, 2, 7].into()), [1]);
}
