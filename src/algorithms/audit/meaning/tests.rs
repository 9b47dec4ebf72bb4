use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::domain::event::EventType;
use crate::domain::number::Epoch;
use crate::domain::time::Timestamp;
use crate::wire::entry::tests::entry as sample;
use crate::wire::signature::tests::key;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_795_255_200_000 + seconds * 1_000)
}

/// An honest parent's log of so many newcomers, some of which renew and are revoked.
#[derive(Default)]
struct Story {
    entries: Vec<Entry>,
    serial: u64,
}

impl Story {
    fn tell(&mut self, event_type: EventType, subject: &str, payload: Value) {
        let seq = self.entries.len() as u64;
        self.entries.push(Entry {
            event_type,
            subject: subject.to_owned(),
            timestamp: at(seq as i64),
            payload: Payload::Inside(payload),
            policy_version: None,
            epoch: Epoch::from_number(1),
            ..sample(seq)
        });
    }

    fn issue(&mut self, number: u64) {
        let end = at(self.entries.len() as i64 + 100);
        self.tell(
            EventType::BootstrapTokenIssued,
            &token(number),
            json!({"role": "local", "region": "zone-A", "expires_at": end}),
        );
    }

    fn certify(&mut self, event_type: EventType, number: u64) {
        self.serial += 1;
        let public_key = key(self.serial as u8).public_key();
        let payload = json!({
            "role": "local", "region": "zone-A", "serial": self.serial.to_string(), "public_key": public_key,
            "expires_at": at(9_000), "token_id": token(number),
        });
        self.tell(event_type, &name(number), payload);
    }

    fn of(newcomers: &[(bool, bool)]) -> Self {
        let mut story = Self::default();
        for (number, (renews, revoked)) in newcomers.iter().enumerate() {
            let number = number as u64 + 1;
            story.issue(number);
            story.certify(EventType::ControllerValidated, number);
            if *renews {
                story.certify(EventType::CertificateRenewed, number);
            }
            if *revoked {
                story.tell(EventType::ControllerRevoked, &name(number), json!({}));
            }
            story.tell(EventType::PolicyTaken, "policy", json!({"version": number.to_string()}));
        }
        story
    }

    fn replay(&self) -> Result<(), Misdeed> {
        let mut replay = Replay::new(true);
        self.entries.iter().try_for_each(|entry| replay.take(entry, None))
    }

    /// The position of what is found, and what.
    fn found(&self) -> (u64, String) {
        let misdeed = self.replay().unwrap_err();
        (misdeed.seq, misdeed.what)
    }
}

fn token(number: u64) -> String {
    format!("token{number:011}")
}

fn name(number: u64) -> String {
    format!("local_cntl_zoneA_{number}")
}

proptest! {
    #[test]
    fn who_keeps_to_the_rules_is_not_blamed(newcomers in prop::collection::vec(any::<(bool, bool)>(), 0..8)) {
        prop_assert_eq!(Story::of(&newcomers).replay(), Ok(()));
    }

    #[test]
    fn a_decision_that_is_told_twice_is_found_where_it_is_told_again(
        newcomers in prop::collection::vec(any::<(bool, bool)>(), 1..6), which: prop::sample::Index,
    ) {
        let mut story = Story::of(&newcomers);
        let again = which.get(&story.entries).clone();
        let (kind, subject) = (again.event_type, again.subject.clone());
        let Payload::Inside(payload) = again.payload else { unreachable!() };
        story.tell(kind, &subject, payload);
        prop_assert_eq!(story.found().0, story.entries.len() as u64 - 1);
    }

    #[test]
    fn a_decision_without_the_one_before_it_is_found(
        newcomers in prop::collection::vec(any::<(bool, bool)>(), 1..6), which: prop::sample::Index,
    ) {
        let mut story = Story::of(&newcomers);
        let issues: Vec<usize> = (0..story.entries.len())
            .filter(|at| story.entries[*at].event_type == EventType::BootstrapTokenIssued)
            .collect();
        let gone = *which.get(&issues);
        story.entries.remove(gone);
        prop_assert_eq!(story.found().0, gone as u64 + 1, "the use of a token that was never issued");
        // A part of the log does not show it, so nothing is said.
        let mut part = Replay::new(false);
        prop_assert!(story.entries.iter().try_for_each(|entry| part.take(entry, None)).is_ok());
    }
}

#[test]
fn a_token_is_used_in_time_by_its_audience() {
    let broken = |change: fn(&mut Entry)| {
        let mut story = Story::of(&[(false, false)]);
        change(&mut story.entries[1]);
        story.found()
    };
    let (seq, what) = broken(|entry| entry.timestamp = at(101));
    assert!(seq == 1 && what.contains("ended"), "{what}");
    let (_, what) = broken(|entry| {
        let Payload::Inside(payload) = &mut entry.payload else { unreachable!() };
        payload["region"] = json!("zone-B");
    });
    assert!(what.contains("another role or region"), "{what}");

    let mut story = Story::default();
    story.issue(1);
    story.tell(EventType::BootstrapTokenRevoked, &token(1), json!({}));
    story.certify(EventType::ControllerValidated, 1);
    assert_eq!(story.found(), (2, format!("the token {} was taken back before", token(1))));
}

#[test]
fn nothing_is_given_to_the_revoked_and_nothing_goes_back() {
    let mut story = Story::of(&[(false, true)]);
    story.certify(EventType::CertificateRenewed, 1);
    assert_eq!(story.found(), (4, "local_cntl_zoneA_1 was revoked before".to_owned()));

    let mut story = Story::of(&[(false, true), (false, false)]);
    story.tell(EventType::PolicyTaken, "policy", json!({"version": "1"}));
    assert!(story.found().1.contains("after a newer one"));

    let mut story = Story::of(&[(false, false)]);
    story.tell(EventType::ControllerStarted, "it", json!({}));
    story.entries[1].policy_version = Some(3);
    assert_eq!(story.found().0, 2);
    story.entries.truncate(2);
    story.entries[1].epoch = Epoch::from_number(0);
    assert!(story.found().1.contains("epoch 0"));
}

#[test]
fn a_payload_that_was_not_shown_is_counted_and_another_family_is_asked() {
    #[derive(Debug)]
    struct NoStarts;
    impl Rule for NoStarts {
        fn says(&self) -> &'static str {
            "nothing starts"
        }
        fn take(&mut self, told: &Told<'_>) -> Result<(), String> {
            if told.entry.event_type == EventType::ControllerStarted { Err("it starts".to_owned()) } else { Ok(()) }
        }
    }
    let mut replay = Replay::new(true).with(Box::new(NoStarts));
    assert!(replay.says().contains(&"nothing starts"));
    let digest = crate::wire::signature::sha256(b"{}");
    let beside = Entry { payload: Payload::Beside(digest), event_type: EventType::ControllerStarted, ..sample(0) };
    assert_eq!((replay.take(&beside, None), replay.unread), (Ok(()), 1));
    assert_eq!(replay.take(&beside, Some(b"{}")).unwrap_err().what, "it starts");
}
