use super::*;
use crate::algorithms::trust::authority::tests::{at, order, regional};
use crate::domain::device::Version;
use crate::domain::token::TokenId;
use proptest::prelude::*;

const fn now(seconds: u64) -> Now {
    Now {
        at: Timestamp::from_millis(1_800_000_000_000 + seconds as i64 * 1_000),
        elapsed: Duration::from_secs(seconds),
    }
}

fn id(text: &str) -> ControllerId {
    text.parse().unwrap()
}

fn gc() -> ControllerId {
    id("global_cntl_1")
}

fn child(number: u8) -> ControllerId {
    id(&format!("local_cntl_zoneA_{number}"))
}

fn row(number: u8) -> ControllerRow {
    let order = order(&format!("local_cntl_zoneA_{number}"), number);
    ControllerRow {
        id: order.name.id(),
        role: Role::Local,
        region: order.region.clone(),
        public_key: order.public_key,
        serial: order.serial,
        certificate: crate::domain::registry::SignedDocument::from_text("{}".to_owned()),
        delegation: None,
        expires_at: regional().certificate().unwrap().expires_at,
        next: None,
        standing: Standing::Active,
        standing_reason: None,
        validated_by: id("regional_cntl_zoneA_1"),
        validated_at: at(0),
        token: TokenId::new([number; 12]),
        metadata: BTreeMap::new(),
        policy_version: None,
        last_contact: None,
        version: Version::FIRST,
    }
}

fn heartbeat() -> Heartbeat {
    Heartbeat {
        sent_at: at(0),
        state: State::Active,
        policy_version: Some(PolicyVersion::from_number(3)),
        last_report: StreamSeq::from_number(7),
        children: Vec::new(),
    }
}

fn online(number: u8, returned: bool) -> Turn {
    Turn::ChildOnline { id: child(number), returned }
}

/// What is told at this instant, and marks it as told.
fn tell(presence: &mut Presence, now: Now) -> Vec<Turn> {
    let turns = presence.turns(now);
    presence.taken(&turns);
    turns
}

fn of_children(numbers: &[u8]) -> Presence {
    let mut presence = Presence::default();
    let rows: Vec<_> = numbers.iter().map(|number| row(*number)).collect();
    presence.know(&rows, now(0));
    presence
}

#[test]
fn a_child_is_offline_after_thirty_seconds_of_silence_and_online_when_it_is_heard() {
    let mut presence = of_children(&[1, 2]);
    assert!(presence.heard(&child(1), &heartbeat(), now(5)));
    assert_eq!(tell(&mut presence, now(5)), [online(1, true)]);
    assert_eq!(tell(&mut presence, now(29)), []);
    assert_eq!(presence.next_silence(), Some(now(30).elapsed));
    assert_eq!(tell(&mut presence, now(30)), [Turn::ChildOffline(child(2))], "it was never heard");
    assert_eq!(presence.next_silence(), Some(now(35).elapsed));
    assert_eq!(tell(&mut presence, now(35)), [Turn::ChildOffline(child(1))]);
    assert_eq!((presence.next_silence(), tell(&mut presence, now(100))), (None, vec![]));
    assert!(presence.heard(&child(1), &heartbeat(), now(101)));
    assert_eq!(tell(&mut presence, now(101)), [online(1, true)]);
}

#[test]
fn what_could_not_be_written_is_told_later_as_it_is_then() {
    let mut presence = of_children(&[1]);
    presence.heard(&child(1), &heartbeat(), now(5));
    assert_eq!(presence.turns(now(5)), [online(1, true)]);
    assert_eq!(presence.turns(now(6)), [online(1, true)], "nobody has been told yet");
    assert_eq!(presence.turns(now(40)), [Turn::ChildOffline(child(1))]);
}

#[test]
fn a_parent_that_was_started_again_does_not_say_that_its_children_return() {
    let mut presence = Presence::default();
    let written = |seconds| ControllerRow { last_contact: Some(now(seconds).at), ..row(1) };
    presence.know(&[written(50)], now(100));
    presence.heard(&child(1), &heartbeat(), now(101));
    let turns = tell(&mut presence, now(101));
    assert_eq!(turns, [online(1, false)]);
    assert_eq!(presence.event(&turns[0], &gc(), now(101)), None);
    let mut presence = Presence::default();
    presence.know(&[written(50)], now(200));
    presence.heard(&child(1), &heartbeat(), now(201));
    assert_eq!(tell(&mut presence, now(201)), [online(1, true)]);
}

#[test]
fn who_is_not_active_is_not_there() {
    let mut presence = of_children(&[1, 2]);
    presence.heard(&child(1), &heartbeat(), now(1));
    tell(&mut presence, now(1));
    let revoked = ControllerRow { standing: Standing::Revoked, ..row(1) };
    presence.know(&[revoked.clone(), row(2)], now(2));
    assert!(!presence.heard(&child(1), &heartbeat(), now(3)));
    assert_eq!(
        (presence.count(), presence.told_above(now(3)).len(), presence.report(now(3)).children.len()),
        (1, 1, 1)
    );
    assert_eq!(tell(&mut presence, now(3)), [Turn::ChildGone(child(1))]);
    assert_eq!(tell(&mut presence, now(4)), []);
    assert_eq!(write_contacts(&BTreeMap::from([(child(1), now(1).at)]), &[revoked]), []);
    presence.know(&[row(1), row(2)], now(5));
    assert!(presence.heard(&child(1), &heartbeat(), now(6)), "it was let in again");
}

#[test]
fn a_stranger_is_not_a_child() {
    assert!(!of_children(&[1]).heard(&child(3), &heartbeat(), now(1)));
}

#[test]
fn the_parent_is_there_when_it_answers_a_heartbeat_of_now() {
    let mut presence = Presence::default();
    presence.below(Some(&gc()), now(0));
    assert_eq!(presence.state(now(0)), State::Offline);
    presence.asked(now(1).at);
    assert!(!presence.answered(&child(1), now(1).at, 50, now(2)), "somebody else");
    assert!(!presence.answered(&gc(), now(0).at, 50, now(2)), "an answer to another heartbeat");
    assert!(presence.answered(&gc(), now(1).at, 50, now(2)));
    assert!(!presence.answered(&gc(), now(1).at, 50, now(3)), "the same answer again");
    let reached = Turn::ParentReached { spread: Duration::from_millis(2_500) };
    assert_eq!((tell(&mut presence, now(3)), presence.state(now(3))), (vec![reached.clone()], State::Active));
    presence.below(Some(&gc()), now(4));
    assert_eq!(tell(&mut presence, now(31)), []);
    assert_eq!((tell(&mut presence, now(32)), presence.state(now(32))), (vec![Turn::ParentLost], State::Offline));
    for seconds in 33..40 {
        presence.asked(now(seconds).at);
    }
    assert!(!presence.answered(&gc(), now(38).at, 50, now(79)), "an answer that was held back");
    assert!(presence.answered(&gc(), now(39).at, 50, now(79)));
    assert_eq!(tell(&mut presence, now(79)), [reached]);
    presence.below(None, now(80));
    assert_eq!((presence.state(now(80)), presence.next_silence()), (State::Active, None));
}

#[test]
fn last_contacts_are_written_at_most_once_a_minute() {
    let mut presence = of_children(&[1, 2]);
    presence.heard(&child(1), &heartbeat(), now(5));
    let contacts = presence.contacts();
    assert_eq!(contacts, BTreeMap::from([(child(1), now(5).at)]));
    let changes = write_contacts(&contacts, &[row(1), row(2)]);
    let [Change::Registry(RegistryChange::UpdateController(written))] = &changes[..] else { panic!("{changes:?}") };
    assert_eq!((written.last_contact, written.version), (Some(now(5).at), Version::FIRST));
    presence.know(&[(**written).clone(), row(2)], now(6));
    presence.heard(&child(1), &heartbeat(), now(64));
    assert_eq!(presence.contacts(), BTreeMap::new());
    presence.heard(&child(1), &heartbeat(), now(65));
    assert_eq!(presence.contacts(), BTreeMap::from([(child(1), now(65).at)]));
    let later = ControllerRow { last_contact: Some(now(70).at), ..row(1) };
    assert_eq!(write_contacts(&presence.contacts(), &[later]), [], "another wrote a later one");
}

#[test]
fn the_controller_above_is_told_who_runs_what() {
    let mut presence = of_children(&[1, 2]);
    presence.heard(&child(1), &heartbeat(), now(5));
    let told = presence.told_above(now(6));
    assert_eq!((told[0].online, told[0].last_contact, told[0].last_report.number()), (true, Some(now(5).at), 7));
    assert_eq!((told[1].online, told[1].last_contact, told[1].policy_version), (false, None, None));
    let mut above = Presence::default();
    let region = ControllerRow { id: id("regional_cntl_zoneA_1"), role: Role::Regional, ..row(9) };
    above.know(&[region], now(0));
    above.heard(&id("regional_cntl_zoneA_1"), &Heartbeat { children: told.clone(), ..heartbeat() }, now(7));
    let report = above.report(now(8));
    assert_eq!((&report.children[0].children, report.children[0].online), (&told, true));
    assert_eq!(serde_json::to_value(&report).unwrap()["children"][0]["children"][0]["policy_version"], "3");
}

#[test]
fn turns_are_events_of_who_it_is_about() {
    let mut presence = of_children(&[1]);
    presence.below(Some(&gc()), now(0));
    let event = |presence: &Presence, turn| match presence.event(&turn, &id("regional_cntl_zoneA_1"), now(9)) {
        Some(Change::Append(event)) => (event.event_type, event.subject, event.actor),
        other => panic!("{other:?}"),
    };
    let own = "regional_cntl_zoneA_1".to_owned();
    for (turn, event_type, subject) in [
        (Turn::ParentReached { spread: Duration::ZERO }, EventType::ParentReached, gc()),
        (Turn::ParentLost, EventType::ParentUnreachable, gc()),
        (online(1, true), EventType::ControllerOnline, child(1)),
        (Turn::ChildOffline(child(1)), EventType::ControllerOffline, child(1)),
    ] {
        assert_eq!(event(&presence, turn), (event_type, subject.to_string(), own.clone()));
    }
    assert_eq!(presence.event(&Turn::ChildGone(child(1)), &gc(), now(9)), None);
    presence.taken(&[Turn::ChildGone(child(1))]);
    assert_eq!(presence.count(), 0);
}

#[test]
fn a_heartbeat_with_as_many_children_as_it_tells_fits_into_a_message() {
    let child = ChildPresence {
        id: id(&format!("local_cntl_{}_4294967295", "z".repeat(41))),
        online: false,
        policy_version: Some(PolicyVersion::from_number(u64::MAX)),
        last_contact: Some(at(0)),
        last_report: StreamSeq::from_number(u64::MAX),
    };
    let length = serde_json::to_vec(&vec![child; MOST_CHILDREN]).unwrap().len();
    assert!(length * 4 / 3 + 2_048 < crate::wire::envelope::LARGEST, "{length}");
}

proptest! {
    #[test]
    fn beats_and_spreads_have_their_bounds(random in 0.0_f64..=1.0, children: u32) {
        prop_assert!(beat(random) >= Duration::from_secs(8) && beat(random) <= Duration::from_secs(12));
        prop_assert!(spread(children) <= Duration::from_secs(120));
        prop_assert_eq!(spread(children % 2_400), Duration::from_millis(50) * (children % 2_400));
    }

    /// Whatever is heard when: what is told alternates, and agrees with what was heard in the last
    /// thirty seconds.
    #[test]
    fn what_is_told_alternates_and_is_true(steps in prop::collection::vec((0_u64..40, any::<bool>()), 1..60)) {
        let mut presence = of_children(&[1]);
        let (mut seconds, mut heard, mut last) = (0, None, None);
        for (pause, beats) in steps {
            seconds += pause;
            if beats {
                presence.heard(&child(1), &heartbeat(), now(seconds));
                heard = Some(seconds);
            }
            for turn in tell(&mut presence, now(seconds)) {
                let is_up = matches!(turn, Turn::ChildOnline { .. });
                prop_assert_ne!(last, Some(is_up));
                last = Some(is_up);
            }
            let is_up = heard.is_some_and(|heard| seconds - heard < 30);
            prop_assert_eq!(presence.report(now(seconds)).children[0].online, is_up);
            prop_assert_eq!(last.unwrap_or(false), is_up);
        }
    }
}
