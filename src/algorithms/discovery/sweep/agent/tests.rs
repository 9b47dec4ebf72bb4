use super::*;
use crate::algorithms::discovery::credentials::prepare;
use crate::domain::credential::Credential;
use crate::domain::fact::NeighbourProtocol;
use crate::domain::secret::Community;
use crate::wire::snmp;
use crate::wire::snmp::pdu::PduKind;
use proptest::prelude::*;

const NOW: Duration = Duration::from_millis(5);

fn desk(communities: &[&str]) -> Desk {
    let community = |text: &&str| Credential::from(Community::new(text).unwrap());
    Desk::new(prepare(&communities.iter().map(community).collect::<Vec<_>>()), 1)
}

fn talk(neighbours: bool) -> Conversation {
    talk_for(Wanted { neighbours, counters: false })
}

fn talk_for(wanted: Wanted) -> Conversation {
    Conversation::new(4_096, Access::new(vec![0], &desk(&["public"])), wanted)
}

fn response(id: u32, varbinds: Vec<(Oid, Value)>) -> Pdu {
    Pdu { kind: PduKind::Response, request_id: id, error_status: 0, error_index: 0, varbinds }
}

fn cell(column: Oid, index: u32, value: Value) -> (Oid, Value) {
    (format!("{column}.{index}").parse().unwrap(), value)
}

fn after_system() -> Conversation {
    told_system(talk(false))
}

fn told_system(mut talk: Conversation) -> Conversation {
    let name = (mib::SYS_NAME, Value::OctetString(b"core-1".to_vec()));
    let up = (mib::SYS_UP_TIME, Value::TimeTicks(4_250));
    let reply = response(talk.question(), vec![name, up]);
    assert_eq!(talk.take(&reply, 8_192, NOW), Progress::Ask);
    talk
}

#[test]
fn a_table_is_read_to_its_end() {
    let mut talk = after_system();
    let mut first = Vec::new();
    for index in 1..=2 {
        first.push(cell(mib::IF_DESCR, index, Value::OctetString(format!("eth{index}").into_bytes())));
        first.push(cell(mib::IF_TYPE, index, Value::Integer(6)));
        first.push(cell(mib::IF_SPEED, index, Value::Gauge32(1_000_000_000)));
        first.push(cell(mib::IF_PHYS_ADDRESS, index, Value::OctetString(vec![0, 0x1b, 0x2f, 0, 0, index as u8])));
        first.push(cell(mib::IF_ADMIN_STATUS, index, Value::Integer(1)));
        first.push(cell(mib::IF_OPER_STATUS, index, Value::Integer(2)));
    }
    let reply = response(talk.question(), first);
    assert_eq!(talk.take(&reply, 12_288, NOW), Progress::Ask);
    let after: Vec<_> = INTERFACES.iter().map(|_| cell(mib::SYS_DESCR, 9, Value::Null)).collect();
    let reply = response(talk.question(), after);
    assert_eq!(talk.take(&reply, 0, NOW), Progress::Finished);
    let answer = talk.finish().unwrap();
    assert_eq!(answer.uptime, Some(SnmpUptime { uptime_seconds: 42 }));
    assert_eq!(answer.system.sys_name.as_deref(), Some("core-1"));
    let interfaces = answer.interfaces.unwrap();
    assert_eq!(interfaces.len(), 2);
    assert_eq!(interfaces[1].name.as_deref(), Some("eth2"));
    assert_eq!((interfaces[0].admin_up, interfaces[0].oper_up), (Some(true), Some(false)));
}

#[test]
fn an_agent_tells_its_engine_to_a_community_too() {
    let engine = |octets: &[u8]| (mib::SNMP_ENGINE_ID, Value::OctetString(octets.to_vec()));
    let boots = (mib::SNMP_ENGINE_BOOTS, Value::Integer(7));
    let told = |varbinds| {
        let mut talk = talk(false);
        let reply = response(talk.question(), varbinds);
        talk.take(&reply, 8_192, NOW);
        talk.finish().unwrap().engine
    };
    let expected = SnmpEngine { engine_id: "80001f8804".parse().unwrap(), boots: 7 };
    assert_eq!(told(vec![engine(&[0x80, 0, 0x1f, 0x88, 4]), boots.clone()]), Some(expected));
    // Too short to be a name, and a name without a count.
    assert_eq!(told(vec![engine(&[0x80]), boots]), None);
    assert_eq!(told(vec![engine(&[0x80, 0, 0x1f, 0x88, 4])]), None);
}

#[test]
fn an_agent_that_goes_in_circles_is_left() {
    let mut talk = after_system();
    let loopy: Vec<_> = [3, 2, 3, 2]
        .iter()
        .flat_map(|index| INTERFACES.iter().map(|(column, _)| cell(column.clone(), *index, Value::Integer(1))))
        .collect();
    let reply = response(talk.question(), loopy);
    assert_eq!(talk.take(&reply, 1, NOW), Progress::Finished);
    let answer = talk.finish().unwrap();
    assert_eq!((answer.interfaces.unwrap().len(), answer.shortfall), (1, Some(SnmpFailure::TableLoops)));
}

#[test]
fn a_table_that_breaks_off_is_not_told() {
    let talk = after_system();
    let answer = talk.finish().unwrap();
    assert_eq!((answer.interfaces, answer.shortfall), (None, Some(SnmpFailure::FellSilent)));
    assert!(answer.uptime.is_some());
}

#[test]
fn an_agent_that_was_left_before_the_end_did_not_fall_silent() {
    assert_eq!(talk(false).leave(), None, "nothing is known of it");
    let answer = after_system().leave().unwrap();
    assert_eq!((answer.interfaces, answer.shortfall), (None, None));
    assert_eq!(answer.system.sys_name.as_deref(), Some("core-1"));
}

#[test]
fn the_community_that_was_answered_is_the_only_one_used_on() {
    let mut desk = desk(&["one", "two", "three"]);
    let access = Access::new(vec![0, 1, 2], &desk);
    let mut talk = Conversation::new(77_777, access, Wanted::default());
    assert_eq!(talk.packets(), 3);
    let mut out = Vec::new();
    let mut heard = |talk: &mut Conversation, id| {
        snmp::encode(&mut out, b"any", &response(id, Vec::new()));
        talk.hear(&out, &desk, 99_999, NOW)
    };
    let first = talk.question();
    assert_eq!([heard(&mut talk, first + 3), heard(&mut talk, first - 1)], [Heard::Stray, Heard::Stray]);
    let Heard::Answer(answer) = heard(&mut talk, first + 1) else { panic!("it was the second that answered") };
    talk.take(&answer, 99_999, NOW);
    assert_eq!(talk.packets(), 1);
    let second = talk.question();
    assert_eq!(heard(&mut talk, second + 1), Heard::Stray);
    assert!(matches!(heard(&mut talk, second), Heard::Answer(_)));
    talk.encode(0, &mut desk, NOW, &mut out);
    assert!(out.windows(3).any(|window| window == b"two"));
}

/// RFC 3416 section 4.2.1: an answer that does not fit is `tooBig`, without any of it.
#[test]
fn what_does_not_fit_is_asked_in_smaller_pieces() {
    let mut talk = talk(false);
    let mut desk = desk(&["public"]);
    let mut out = Vec::new();
    let mut asked = Vec::new();
    for number in 1.. {
        talk.encode(0, &mut desk, NOW, &mut out);
        let question = snmp::decode(&out).unwrap().pdu;
        if question.kind == PduKind::GetBulk {
            break;
        }
        let names: Vec<Oid> = question.varbinds.into_iter().map(|(name, _)| name).collect();
        asked.push(names.len());
        let fits = names.len() == 1 && names[0] != mib::SYS_DESCR;
        let reply = match fits {
            true => response(talk.question(), vec![(names[0].clone(), Value::OctetString(b"told".to_vec()))]),
            false => Pdu { error_status: TOO_BIG, ..response(talk.question(), Vec::new()) },
        };
        assert_eq!(talk.take(&reply, 4_096 * number, NOW), Progress::Ask);
    }
    assert_eq!(asked, [8, 1, 1, 1, 1, 1, 1, 1, 1]);
    // The table is asked for in fewer rows at once, down to one.
    for rows in [8, 4, 2, 1] {
        talk.encode(0, &mut desk, NOW, &mut out);
        assert_eq!(snmp::decode(&out).unwrap().pdu.error_index, rows);
        let too_big = Pdu { error_status: TOO_BIG, ..response(talk.question(), Vec::new()) };
        assert_eq!(talk.take(&too_big, 4_096 * rows, NOW), if rows > 1 { Progress::Ask } else { Progress::Finished });
    }
    let answer = talk.finish().unwrap();
    assert_eq!((answer.system.sys_descr, answer.system.sys_name.as_deref()), (None, Some("told")));
    assert_eq!((answer.interfaces, answer.shortfall), (None, Some(SnmpFailure::ErrorStatus)));
}

/// Answers GETBULK from a table, as an agent does that has eight rows in a message at most.
fn answer_rows(talk: &mut Conversation, desk: &mut Desk, number: u32, rows: &[(Oid, Value)]) -> Progress {
    let mut out = Vec::new();
    talk.encode(0, desk, NOW, &mut out);
    let question = snmp::decode(&out).unwrap().pdu;
    let mut names: Vec<Oid> = question.varbinds.into_iter().map(|(name, _)| name).collect();
    let mut varbinds = Vec::new();
    let mut tell = |name: &mut Oid| {
        let next = rows.partition_point(|(other, _)| other <= name);
        let found = rows.get(next).cloned().unwrap_or((name.clone(), Value::EndOfMibView));
        name.clone_from(&found.0);
        varbinds.push(found);
    };
    // Non-repeaters, and repetitions of the others.
    let (once, often) = names.split_at_mut(question.error_status as usize);
    once.iter_mut().for_each(&mut tell);
    for _ in 0..question.error_index {
        often.iter_mut().for_each(&mut tell);
    }
    talk.take(&response(question.request_id, varbinds), 4_096 * (number + 2), NOW)
}

fn read_all(mut talk: Conversation, mut rows: Vec<(Oid, Value)>) -> (SnmpAnswer, u32) {
    rows.sort_by(|(one, _), (other, _)| one.cmp(other));
    let mut desk = desk(&["public"]);
    let asked = (0..).find(|number| answer_rows(&mut talk, &mut desk, *number, &rows) == Progress::Finished).unwrap();
    (talk.finish().unwrap(), asked)
}

#[test]
fn ten_thousand_interfaces_are_read() {
    let rows = (1..=10_000).flat_map(|index| {
        let name = Value::OctetString(format!("Gi{index}").into_bytes());
        [cell(mib::IF_DESCR, index, name), cell(mib::IF_TYPE, index, Value::Integer(6))]
    });
    let (answer, asked) = read_all(after_system(), rows.collect());
    let interfaces = answer.interfaces.unwrap();
    assert_eq!((interfaces.len(), answer.shortfall), (10_000, None));
    assert_eq!(interfaces[9_999].name.as_deref(), Some("Gi10000"));
    assert_eq!(asked, 1_250);
}

#[test]
fn a_table_without_end_is_cut_and_told_so() {
    let rows = (1..=20_000).map(|index| cell(mib::IF_TYPE, index, Value::Integer(6)));
    let (answer, _) = read_all(after_system(), rows.collect());
    assert_eq!(answer.interfaces.unwrap().len(), MOST_INTERFACES);
    assert_eq!(answer.shortfall, Some(SnmpFailure::TableTooLong));
}

#[test]
fn an_agent_is_listened_to_for_a_minute() {
    let mut talk = after_system();
    talk.encode(0, &mut desk(&["public"]), NOW, &mut Vec::new());
    let row = || vec![cell(mib::IF_DESCR, 1, Value::OctetString(b"eth0".to_vec()))];
    let reply = response(talk.question(), row());
    assert_eq!(talk.take(&reply, 8_192, NOW + PATIENCE), Progress::Ask);
    let reply = response(talk.question(), row());
    assert_eq!(talk.take(&reply, 8_192, NOW + PATIENCE + Duration::from_millis(1)), Progress::Finished);
    assert_eq!(talk.finish().unwrap().shortfall, Some(SnmpFailure::TableTooLong));
}

#[test]
fn neighbours_are_read_after_the_interfaces_by_lldp_and_cdp() {
    let text = |text: &str| Value::OctetString(text.as_bytes().to_vec());
    let at = |column: Oid, index: &str, value| (format!("{column}.{index}").parse().unwrap(), value);
    let rows = vec![
        cell(mib::IF_DESCR, 3, text("Gi0/3")),
        at(mib::LLDP_LOC_PORT_ID_SUBTYPE, "7", Value::Integer(5)),
        at(mib::LLDP_LOC_PORT_ID, "7", text("Gi0/7")),
        at(mib::LLDP_REM_CHASSIS_ID_SUBTYPE, "1200.7.1", Value::Integer(4)),
        at(mib::LLDP_REM_CHASSIS_ID, "1200.7.1", Value::OctetString(vec![0, 0x1b, 0x54, 0, 0, 1])),
        at(mib::LLDP_REM_SYS_NAME, "1200.7.1", text("core-1")),
        at(mib::CDP_CACHE_DEVICE_ID, "3.1", text("dist-2")),
    ];
    let told = |talk| read_all(told_system(talk), rows.clone()).0;
    let neighbours = told(talk(true)).neighbours.unwrap();
    let names: Vec<_> =
        neighbours.iter().map(|one| (one.protocol, one.local_port.as_str(), one.name.as_deref())).collect();
    let (lldp, cdp) = (NeighbourProtocol::Lldp, NeighbourProtocol::Cdp);
    assert_eq!(names, [(lldp, "Gi0/7", Some("core-1")), (cdp, "Gi0/3", Some("dist-2"))]);
    assert_eq!(told(talk(false)).neighbours, None);
}

proptest! {
    #[test]
    fn every_table_ends(replies in prop::collection::vec(prop::collection::vec((0_usize..7, 0_u32..6, 0_i32..3), 0..20), 1..60)) {
        let mut talk = after_system();
        let mut asked = 0;
        // An agent that always tells something new is cut at the most rows; all others end.
        for reply in replies.iter().cycle().take(300) {
            let varbinds = reply.iter().map(|(column, index, value)| {
                let column = INTERFACES.get(*column).map_or(mib::SYS_DESCR, |(name, _)| name.clone());
                cell(column, *index, Value::Integer(*value))
            });
            let reply = response(talk.question(), varbinds.collect());
            asked += 1;
            if talk.take(&reply, 4_096 * asked, NOW) == Progress::Finished {
                break;
            }
        }
        prop_assert!(asked < 300);
        prop_assert!(talk.finish().is_ok());
    }
}

mod counters {
    use super::*;
    use crate::domain::counters::{Reading, Width};

    const WANTED: Wanted = Wanted { neighbours: false, counters: true };

    fn wide(index: u32, octets: u64) -> [(Oid, Value); 6] {
        [
            cell(mib::IF_DESCR, index, Value::OctetString(format!("Gi{index}").into_bytes())),
            cell(mib::IF_SPEED, index, Value::Gauge32(1_000_000_000)),
            cell(mib::IF_HC_IN_OCTETS, index, Value::Counter64(octets)),
            cell(mib::IF_HC_OUT_OCTETS, index, Value::Counter64(octets + 1)),
            cell(mib::IF_IN_ERRORS, index, Value::Counter32(3)),
            cell(mib::IF_COUNTER_DISCONTINUITY_TIME, index, Value::TimeTicks(7)),
        ]
    }

    fn narrow(index: u32, octets: u32) -> [(Oid, Value); 3] {
        [
            cell(mib::IF_DESCR, index, Value::OctetString(format!("Fa{index}").into_bytes())),
            cell(mib::IF_IN_OCTETS, index, Value::Counter32(octets)),
            cell(mib::IF_OUT_OCTETS, index, Value::Counter32(octets + 1)),
        ]
    }

    /// The questions of a conversation about counters, answered by an agent that has been up for a second
    /// longer each time.
    fn read(rows: impl IntoIterator<Item = (Oid, Value)>) -> (SnmpAnswer, Vec<Pdu>) {
        let (mut talk, mut desk) = (told_system(talk_for(WANTED)), desk(&["public"]));
        let mut rows: Vec<_> = rows.into_iter().collect();
        rows.push((mib::SYS_UP_TIME, Value::TimeTicks(0)));
        rows.sort_by(|(one, _), (other, _)| one.cmp(other));
        let (mut out, mut asked) = (Vec::new(), Vec::new());
        for number in 0.. {
            let uptime = rows.iter_mut().find(|(name, _)| *name == mib::SYS_UP_TIME).unwrap();
            uptime.1 = Value::TimeTicks(number * 100);
            talk.encode(0, &mut desk, NOW, &mut out);
            asked.push(snmp::decode(&out).unwrap().pdu);
            if answer_rows(&mut talk, &mut desk, number, &rows) == Progress::Finished {
                break;
            }
        }
        (talk.finish().unwrap(), asked)
    }

    #[test]
    fn wide_counters_are_read_with_the_time_of_their_answer() {
        let (answer, asked) = read((1..=8).flat_map(|index| wide(index, u64::MAX - 1)));
        let told = answer.counters.unwrap();
        assert_eq!((told.interfaces.len(), told.at, answer.shortfall), (8, NOW, None));
        let expected = Reading {
            // The table of interfaces took two questions, from 0 s on.
            uptime: Some(200),
            width: Width::Bits64,
            in_octets: Some(u64::MAX - 1),
            out_octets: Some(u64::MAX),
            in_errors: Some(3),
            discontinuity: Some(7),
            speed: Some(1_000_000_000),
            ..Reading::default()
        };
        assert_eq!((told.interfaces[0], told.interfaces[5]), ((1, expected), (6, expected)));
        assert_eq!(told.interfaces[6].1, Reading { uptime: Some(300), ..expected }, "the answer after it");
        // sysUpTime, and six rows of what the agent has of them.
        let form = |pdu: &Pdu| (pdu.error_status, pdu.error_index, pdu.varbinds.len());
        assert_eq!(asked.iter().map(form).collect::<Vec<_>>(), [(0, 8, 6), (0, 8, 2), (1, 6, 9), (1, 6, 5)]);
    }

    #[test]
    fn narrow_counters_are_asked_for_where_there_are_no_wide_ones() {
        let (answer, asked) = read(wide(1, 500).into_iter().chain(narrow(2, 70)).chain(narrow(1, 9)));
        let told = answer.counters.unwrap().interfaces;
        let brief = |(index, reading): &(u32, Reading)| (*index, reading.width, reading.in_octets, reading.out_octets);
        let (one, two) = ((1, Width::Bits64, Some(500), Some(501)), (2, Width::Bits32, Some(70), Some(71)));
        assert_eq!(told.iter().map(brief).collect::<Vec<_>>(), [one, two]);
        assert_eq!((told[0].1.uptime, told[1].1.uptime, told[1].1.speed), (Some(100), Some(200), None));
        assert_eq!(asked.len(), 3, "one question for each table");
    }

    #[test]
    fn a_speed_that_a_gauge_cannot_tell_is_told_by_the_other() {
        let speed = |index, speed, high| {
            let cells = [
                cell(mib::IF_SPEED, index, Value::Gauge32(speed)),
                cell(mib::IF_HIGH_SPEED, index, Value::Gauge32(high)),
            ];
            cells.into_iter().chain(narrow(index, 1))
        };
        let (answer, _) = read(speed(1, u32::MAX, 100_000).chain(speed(2, 64_000, 0)).chain(speed(3, u32::MAX, 0)));
        let speeds: Vec<_> = answer.counters.unwrap().interfaces.iter().map(|(_, reading)| reading.speed).collect();
        assert_eq!(speeds, [Some(100_000_000_000), Some(64_000), None]);
    }

    #[test]
    fn counters_that_break_off_are_not_told() {
        let mut talk = told_system(talk_for(WANTED));
        let mut rows = wide(1, 5).to_vec();
        rows.sort_by(|(one, _), (other, _)| one.cmp(other));
        assert_eq!(answer_rows(&mut talk, &mut desk(&["public"]), 0, &rows), Progress::Ask);
        assert!(matches!(talk.question, Question::Wide(_)));
        let answer = talk.finish().unwrap();
        assert_eq!((answer.interfaces.unwrap().len(), answer.counters), (1, None));
        assert_eq!(answer.shortfall, Some(SnmpFailure::FellSilent));
    }

    #[test]
    fn who_shows_no_interface_is_not_asked_what_it_counted() {
        let (answer, asked) = read([]);
        assert_eq!((answer.interfaces, answer.counters, asked.len()), (Some(Vec::new()), None, 1));
    }

    #[test]
    fn ten_thousand_interfaces_are_counted() {
        let (answer, asked) = read((1..=10_000).flat_map(|index| wide(index, index.into())));
        let told = answer.counters.unwrap().interfaces;
        assert_eq!((told.len(), answer.shortfall), (10_000, None));
        assert_eq!((told[9_999].0, told[9_999].1.in_octets), (10_000, Some(10_000)));
        assert_eq!(asked.len(), 1_251 + 1_667);
    }

    proptest! {
        #[test]
        fn counters_come_to_an_end_whatever_is_answered(
            replies in prop::collection::vec(prop::collection::vec((0_usize..11, 0_u32..6, 0_u32..3), 0..20), 1..60),
        ) {
            let mut talk = told_system(talk_for(WANTED));
            let first = response(talk.question(), narrow(1, 5).to_vec());
            talk.take(&first, 4_096, NOW);
            let columns: Vec<Oid> = WIDE.iter().chain(NARROW).map(|(name, _)| name.clone()).collect();
            let mut asked = 1;
            for reply in replies.iter().cycle().take(300) {
                let varbinds = reply.iter().map(|(column, index, value)| {
                    let column = columns.get(*column).cloned().unwrap_or(mib::SYS_UP_TIME_OBJECT);
                    cell(column, *index, Value::Counter32(*value))
                });
                let reply = response(talk.question(), varbinds.collect());
                asked += 1;
                if talk.take(&reply, 4_096 * asked, NOW) == Progress::Finished {
                    break;
                }
            }
            prop_assert!(asked < 300);
            prop_assert!(talk.finish().is_ok());
        }
    }
}
