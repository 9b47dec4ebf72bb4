//! Refused messages in the event log: however many come, a few events tell of them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use crate::domain::controller::ControllerId;
use crate::domain::event::{EventType, NewEvent};
use crate::domain::key::PublicKey;
use crate::domain::message::{MessageId, MessageType};
use crate::domain::reason::Reason;
use crate::domain::time::Timestamp;

/// For how long nothing more is told of one kind of refusal of one sender.
pub const WINDOW: Duration = Duration::from_secs(60);

/// How many kinds are remembered at most.
pub const MOST: usize = 1_024;

/// One place a reason is kept for those whom there is no place for.
const SINGLE: usize = MOST - Reason::ALL.len();

/// A message that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// Why.
    pub reason: Reason,
    /// Why, for people.
    pub detail: String,
    /// What it said it was, if that could be read.
    pub message_type: Option<MessageType>,
    /// Its name and whom it said it was from, if its signature was right.
    pub header: Option<(MessageId, ControllerId)>,
    /// The key that it named.
    pub key: Option<PublicKey>,
    /// The address that it came from.
    pub source: String,
}

/// What is to be told: a complaint that stands for so many messages, itself among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The latest of them.
    pub complaint: Complaint,
    /// How many there were since the last was told.
    pub messages: u64,
}

/// Who is complained about: the key, if it signed; else nobody is known but the source.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Whom {
    Key(PublicKey),
    Source(String),
    /// All for whom there is no place.
    Others,
}

#[derive(Debug)]
struct Entry {
    told_at: Duration,
    // The messages since, and the latest of them.
    since: u64,
    latest: Option<Complaint>,
}

/// What was told lately, and what is held back.
#[derive(Debug, Default)]
pub struct Complaints {
    entries: BTreeMap<(Whom, Reason), Entry>,
}

impl Complaints {
    /// Notes a refusal; says what is to be told now. `now` is a time that never goes back.
    pub fn note(&mut self, complaint: Complaint, now: Duration) -> Option<Told> {
        let place = self.place(&complaint, now);
        let Some(entry) = self.entries.get_mut(&place) else {
            self.entries.insert(place, Entry { told_at: now, since: 0, latest: None });
            return Some(Told { complaint, messages: 1 });
        };
        entry.since = entry.since.saturating_add(1);
        if entry.is_within(now) {
            entry.latest = Some(complaint);
            return None;
        }
        entry.told_at = now;
        entry.latest = None;
        Some(Told { complaint, messages: std::mem::take(&mut entry.since) })
    }

    fn place(&mut self, complaint: &Complaint, now: Duration) -> (Whom, Reason) {
        let whom = match (&complaint.header, complaint.key) {
            (Some(_), Some(key)) => Whom::Key(key),
            _ => Whom::Source(complaint.source.clone()),
        };
        let own = (whom, complaint.reason);
        if self.entries.contains_key(&own) || self.single() < SINGLE {
            return own;
        }
        self.entries.retain(|_, entry| entry.is_within(now) || entry.since > 0);
        if self.single() < SINGLE { own } else { (Whom::Others, complaint.reason) }
    }

    fn single(&self) -> usize {
        self.entries.len() - self.entries.keys().rev().take_while(|(whom, _)| *whom == Whom::Others).count()
    }

    /// Tells of what was held back for a window, and forgets whom nothing was held back of.
    pub fn sum_up(&mut self, now: Duration) -> Vec<Told> {
        self.entries.retain(|_, entry| entry.is_within(now) || entry.since > 0);
        let due = self.entries.values_mut().filter(|entry| !entry.is_within(now));
        due.filter_map(|entry| {
            entry.told_at = now;
            let complaint = entry.latest.take()?;
            Some(Told { complaint, messages: std::mem::take(&mut entry.since) })
        })
        .collect()
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl Entry {
    fn is_within(&self, now: Duration) -> bool {
        now.saturating_sub(self.told_at) < WINDOW
    }
}

impl Told {
    /// The events that tell it. That somebody's name is used by two has its alarm where it is locked.
    pub fn events(self, own: &ControllerId, now: Timestamp) -> Vec<NewEvent> {
        let Self { complaint, messages } = self;
        let (id, sender) = complaint.header.unzip();
        let subject = sender.as_ref().map_or_else(|| complaint.source.clone(), ControllerId::to_string);
        let payload = json!({
            "reason": complaint.reason,
            "detail": complaint.detail,
            "message_type": complaint.message_type,
            "message_id": id,
            "sender": sender,
            "public_key": complaint.key,
            "source": complaint.source,
            "messages": messages,
        });
        let event = |event_type| NewEvent {
            event_type,
            actor: own.to_string(),
            subject: subject.clone(),
            timestamp: now,
            payload: payload.clone(),
        };
        let alarm = complaint.reason.is_alarming() && complaint.reason != Reason::IdentityCloned;
        let alarm = alarm.then(|| event(EventType::SecurityAlert));
        std::iter::once(event(EventType::MessageRefused)).chain(alarm).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn second(number: u64) -> Duration {
        Duration::from_secs(number)
    }

    fn unread(source: u32, reason: Reason) -> Complaint {
        let source = format!("10.0.0.{source}");
        Complaint { reason, detail: "no".to_owned(), message_type: None, header: None, key: None, source }
    }

    fn signed(octet: u8, reason: Reason) -> Complaint {
        let header = (MessageId::new(Timestamp::from_millis(1), [1; 10]), "local_cntl_zoneA_1".parse().unwrap());
        let key = Some(PublicKey::from_bytes([octet; 32]));
        Complaint { header: Some(header), key, ..unread(1, reason) }
    }

    #[test]
    fn the_first_is_told_and_those_that_follow_are_counted() {
        let mut complaints = Complaints::default();
        assert_eq!(complaints.note(signed(1, Reason::Replayed), second(0)).unwrap().messages, 1);
        for _ in 0..500 {
            assert_eq!(complaints.note(signed(1, Reason::Replayed), second(59)), None);
        }
        // Of another reason, and of another sender.
        assert!(complaints.note(signed(1, Reason::WrongRecipient), second(59)).is_some());
        assert!(complaints.note(signed(2, Reason::Replayed), second(59)).is_some());
        assert_eq!(complaints.note(signed(1, Reason::Replayed), second(60)).unwrap().messages, 501);
        assert_eq!(complaints.note(signed(1, Reason::Replayed), second(61)), None);
    }

    #[test]
    fn what_was_held_back_is_told_though_nothing_follows_and_then_forgotten() {
        let mut complaints = Complaints::default();
        for _ in 0..3 {
            complaints.note(unread(1, Reason::Malformed), second(0));
        }
        assert_eq!(complaints.sum_up(second(59)), []);
        let told = complaints.sum_up(second(60));
        assert_eq!(told, [Told { complaint: unread(1, Reason::Malformed), messages: 2 }]);
        assert!(!complaints.is_empty());
        assert_eq!(complaints.sum_up(second(120)), []);
        assert!(complaints.is_empty());
    }

    #[test]
    fn a_key_that_signed_nothing_is_not_who_is_complained_about() {
        let mut complaints = Complaints::default();
        let named = |octet| Complaint { header: None, ..signed(octet, Reason::InvalidSignature) };
        assert!(complaints.note(named(1), second(0)).is_some());
        assert_eq!(complaints.note(named(2), second(0)), None);
    }

    #[test]
    fn however_many_sources_there_are_memory_and_events_are_bounded() {
        let mut complaints = Complaints::default();
        let told = (0..20_000).filter_map(|source| complaints.note(unread(source, Reason::Malformed), second(0)));
        assert_eq!(told.count(), SINGLE + 1);
        assert_eq!(complaints.entries.len(), SINGLE + 1);
        for reason in Reason::ALL {
            complaints.note(unread(30_000, reason), second(1));
        }
        assert_eq!(complaints.entries.len(), MOST);
        // Places become free with time.
        assert_eq!(complaints.note(unread(40_000, Reason::Malformed), second(61)).unwrap().messages, 1);
        assert!(complaints.entries.len() < SINGLE);
    }

    #[test]
    fn what_may_be_an_attack_is_an_alarm_too() {
        let own: ControllerId = "regional_cntl_zoneA_1".parse().unwrap();
        let types = |complaint| {
            let events = Told { complaint, messages: 7 }.events(&own, Timestamp::from_millis(5));
            assert!(events.iter().all(|event| event.payload["messages"] == 7 && event.actor == own.as_str()));
            let subjects: Vec<String> = events.iter().map(|event| event.subject.clone()).collect();
            (events.iter().map(|event| event.event_type).collect::<Vec<_>>(), subjects[0].clone())
        };
        let (both, one) = (vec![EventType::MessageRefused, EventType::SecurityAlert], vec![EventType::MessageRefused]);
        assert_eq!(types(signed(1, Reason::Replayed)), (both.clone(), "local_cntl_zoneA_1".to_owned()));
        assert_eq!(types(unread(1, Reason::InvalidSignature)), (both, "10.0.0.1".to_owned()));
        assert_eq!(types(signed(1, Reason::StaleTimestamp)).0, one);
        // That alarm is written where the name is locked.
        assert_eq!(types(signed(1, Reason::IdentityCloned)).0, one);
    }

    proptest! {
        #[test]
        fn every_message_is_told_of_once_and_no_kind_twice_within_a_window(
            steps in prop::collection::vec((0_u32..4, 0_usize..3, 0_u64..30, any::<bool>()), 1..200),
        ) {
            let (mut complaints, mut now, mut noted, mut counted) = (Complaints::default(), 0, 0, 0);
            let mut last: BTreeMap<(String, Reason), u64> = BTreeMap::new();
            for (source, reason, step, sum_up) in steps {
                now += step;
                let mut told = if sum_up { complaints.sum_up(second(now)) } else { Vec::new() };
                noted += 1;
                told.extend(complaints.note(unread(source, Reason::ALL[reason]), second(now)));
                for told in told {
                    counted += told.messages;
                    let before = last.insert((told.complaint.source, told.complaint.reason), now);
                    prop_assert!(before.is_none_or(|before| now - before >= WINDOW.as_secs()));
                }
            }
            counted += complaints.sum_up(second(now + 60)).iter().map(|told| told.messages).sum::<u64>();
            prop_assert_eq!(counted, noted);
        }
    }
}
