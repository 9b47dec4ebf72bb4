//! Events: their order, and what of them is asked for.

use pdsno::domain::event::{Event, EventSeq, EventType, NewEvent};
use pdsno::domain::time::Timestamp;
use pdsno::nib::{Change, EventQuery};
use serde_json::{Value, json};

use crate::backends::{Nib, conflict, invalid, not_found, position};
use crate::samples::{NOW, append, at, device, discovered, insert};

const NONE: [u64; 0] = [];

fn event(event_type: EventType, subject: &str, millis: i64) -> NewEvent {
    NewEvent { event_type, subject: subject.to_owned(), timestamp: at(millis), ..discovered(1) }
}

/// Positions 1 to 6.
fn six(nib: &mut Nib) -> Vec<Event> {
    use EventType::{ControllerStarted, DeviceDiscovered, DeviceInactive};
    let events = [
        event(ControllerStarted, "standalone", 0),
        event(DeviceDiscovered, "nib-dev-000001", 10),
        event(DeviceDiscovered, "nib-dev-000002", 10),
        event(DeviceInactive, "nib-dev-000001", 30),
        event(ControllerStarted, "standalone", 20),
        event(DeviceDiscovered, "nib-dev-000001", 40),
    ];
    nib.write(events.clone().map(Change::Append));
    (1..).zip(events).map(|(seq, event)| event.at(EventSeq::from_number(seq))).collect()
}

fn positions(nib: &Nib, query: &EventQuery) -> Vec<u64> {
    nib.reader.events(query).unwrap().iter().map(|event| event.seq.number()).collect()
}

fn from(position: u64) -> EventQuery {
    EventQuery { from: EventSeq::from_number(position), ..EventQuery::default() }
}

pub fn a_new_nib_tells_that_it_was_made(nib: Nib) {
    let events = nib.reader.events(&EventQuery::default()).unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!((events[0].seq, events[0].event_type), (EventSeq::FIRST, EventType::NibMigrated));
    assert_eq!((events[0].timestamp, events[0].actor.as_str()), (NOW, "standalone"));
    assert_eq!(nib.next_event(), 1);
}

pub fn events_take_their_places_in_the_order_of_the_list(mut nib: Nib) {
    assert_eq!(nib.commit([append(1), insert(1), append(2)]).unwrap(), position(3));
    assert_eq!(nib.commit([append(3)]).unwrap(), position(4));
    assert_eq!(nib.next_event(), 4);
    let events = nib.reader.events(&from(1)).unwrap();
    let wanted: Vec<Event> = (1..4).map(|n| discovered(n).at(EventSeq::from_number(n.into()))).collect();
    assert_eq!(events, wanted);
}

pub fn a_failed_commit_leaves_no_gap(mut nib: Nib) {
    nib.write([append(1)]);
    not_found(nib.commit([append(2), append(3), Change::UpdateDevice(device(7))]));
    assert_eq!(nib.next_event(), 2);
    let commits: [&[Change]; 3] = [&[append(4), insert(1)], &[append(5), insert(1)], &[append(6)]];
    let answers = nib.store.commit_each(&commits);
    assert_eq!(answers[0].as_ref().unwrap(), &position(3));
    assert!(answers[1].is_err());
    assert_eq!(answers[2].as_ref().unwrap(), &position(4));
    let subjects: Vec<String> = nib.reader.events(&from(1)).unwrap().into_iter().map(|event| event.subject).collect();
    assert_eq!(subjects, ["nib-dev-000001", "nib-dev-000004", "nib-dev-000006"]);
    assert_eq!(positions(&nib, &EventQuery::default()), [0, 1, 2, 3]);
}

pub fn a_page_of_events_begins_anywhere(mut nib: Nib) {
    six(&mut nib);
    for start in 0..9 {
        for limit in 0..9 {
            let page = positions(&nib, &EventQuery { limit, ..from(start) });
            assert_eq!(page, (start..7).take(limit).collect::<Vec<_>>(), "{limit} from {start}");
        }
    }
    assert_eq!(positions(&nib, &EventQuery { limit: usize::MAX, ..from(6) }), [6]);
    assert_eq!(positions(&nib, &from(u64::MAX)), NONE);
}

pub fn events_are_asked_for_by_type(mut nib: Nib) {
    six(&mut nib);
    let of = |types: &[EventType]| positions(&nib, &EventQuery { types: types.to_vec(), ..EventQuery::default() });
    assert_eq!(of(&[EventType::DeviceDiscovered]), [2, 3, 6]);
    assert_eq!(of(&[EventType::DeviceInactive, EventType::ControllerStarted]), [1, 4, 5]);
    assert_eq!(of(&[EventType::ControllerStopped]), NONE);
    assert_eq!(of(&EventType::ALL), [0, 1, 2, 3, 4, 5, 6]);
}

pub fn events_are_asked_for_by_subject(mut nib: Nib) {
    six(&mut nib);
    let of =
        |subject: &str| positions(&nib, &EventQuery { subject: Some(subject.to_owned()), ..EventQuery::default() });
    assert_eq!(of("nib-dev-000001"), [2, 4, 6]);
    assert_eq!(of("nib-dev-00000"), NONE);
    assert_eq!(of("NIB-DEV-000001"), NONE);
    assert_eq!(of("' OR 1 --"), NONE);
}

pub fn events_are_asked_for_by_time(mut nib: Nib) {
    six(&mut nib);
    let since = |since| positions(&nib, &EventQuery { since: Some(since), ..EventQuery::default() });
    assert_eq!(since(at(20)), [4, 5, 6]);
    assert_eq!(since(at(21)), [4, 6]);
    assert_eq!(since(at(41)), NONE);
    assert_eq!(since(Timestamp::from_millis(i64::MIN)).len(), 7);
}

pub fn filters_narrow_each_other_before_the_limit(mut nib: Nib) {
    six(&mut nib);
    let query = EventQuery {
        types: vec![EventType::DeviceDiscovered, EventType::DeviceInactive],
        subject: Some("nib-dev-000001".to_owned()),
        since: Some(at(10)),
        limit: 2,
        ..from(3)
    };
    assert_eq!(positions(&nib, &query), [4, 6]);
    assert_eq!(positions(&nib, &EventQuery { limit: 1, ..query }), [4]);
}

pub fn the_newest_event_of_a_type_is_the_one_with_the_highest_position(mut nib: Nib) {
    let events = six(&mut nib);
    let last = |event_type| nib.reader.last_event(event_type).unwrap();
    assert_eq!(last(EventType::ControllerStarted), Some(events[4].clone()));
    assert_eq!(last(EventType::DeviceDiscovered), Some(events[5].clone()));
    assert_eq!(last(EventType::NibMigrated).unwrap().seq, EventSeq::FIRST);
    assert_eq!(last(EventType::ControllerStopped), None);
}

pub fn a_payload_is_kept_to_the_last_digit(mut nib: Nib) {
    let payload = json!({
        "": null,
        "設備": "a\0b\u{7f}\u{2028}\"\\/",
        "integers": [0, -1, i64::MIN, i64::MAX, u64::MAX],
        "floats": [0.1, -0.0, 1e-7, f64::MAX, f64::MIN_POSITIVE, 5e-324, 1.0, 123_456_789.123_456_78, 2.2250738585072014e-308],
        "nested": {"a": [[], {}, [{"b": [true, false]}]]},
    });
    nib.write([Change::Append(NewEvent { payload: payload.clone(), ..discovered(1) })]);
    let kept = &nib.reader.events(&from(1)).unwrap()[0].payload;
    assert_eq!(kept, &payload);
    assert_eq!(kept.to_string(), payload.to_string());
}

pub fn any_text_and_time_of_an_event_is_kept(mut nib: Nib) {
    for (actor, subject, millis) in [("", "", i64::MIN), ("a\0b", "\u{1b}[2J", i64::MAX), ("設備", "10.0.0.0/24", -1)]
    {
        let timestamp = Timestamp::from_millis(millis);
        let event = NewEvent { actor: actor.to_owned(), subject: subject.to_owned(), timestamp, ..discovered(1) };
        let seq = EventSeq::from_number(nib.next_event());
        nib.write([Change::Append(event.clone())]);
        let by_subject = EventQuery { subject: Some(subject.to_owned()), ..EventQuery::default() };
        assert_eq!(nib.reader.events(&by_subject).unwrap(), [event.at(seq)]);
    }
}

pub fn a_payload_that_is_no_object_is_refused(mut nib: Nib) {
    for payload in [Value::Null, json!([]), json!("text"), json!(1)] {
        let detail = invalid(nib.commit([insert(1), Change::Append(NewEvent { payload, ..discovered(1) })]));
        assert!(detail.contains("DEVICE_DISCOVERED") && detail.contains("nib-dev-000001"), "{detail}");
    }
    assert_eq!((nib.next_event(), nib.numbers()), (1, vec![]));
}

pub fn a_payload_too_deep_to_be_read_again_is_refused(mut nib: Nib) {
    let nested = |levels: usize| {
        let wrap = |inner, _| Value::Object([("inner".to_owned(), inner)].into_iter().collect());
        let payload = (1..levels).fold(json!({}), wrap);
        Change::Append(NewEvent { payload, ..discovered(1) })
    };
    nib.write([nested(100)]);
    assert_eq!(nib.reader.events(&from(1)).unwrap().len(), 1);
    invalid(nib.commit([nested(101)]));
    invalid(nib.commit([nested(1_000)]));
}

pub fn an_event_of_a_lost_race_is_not_written(mut nib: Nib) {
    nib.write([insert(1)]);
    nib.write([Change::UpdateDevice(device(1)), append(1)]);
    conflict(nib.commit([append(2), Change::UpdateDevice(device(1))]));
    conflict(nib.commit([Change::UpdateDevice(device(1)), append(3)]));
    assert_eq!(nib.next_event(), 2);
}
