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

fn talk(wants_neighbours: bool) -> Conversation {
    Conversation::new(4_096, Access::new(vec![0], &mut desk(&["public"])), wants_neighbours)
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
    let access = Access::new(vec![0, 1, 2], &mut desk);
    let mut talk = Conversation::new(77_777, access, false);
    assert_eq!(talk.packets(), 3);
    let mut out = Vec::new();
    let mut heard = |talk: &mut Conversation, id| {
        snmp::encode(&mut out, b"any", &response(id, Vec::new()));
        talk.hear(&out, &mut desk, 99_999, NOW)
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
    for _ in 0..question.error_index {
        for name in &mut names {
            let next = rows.partition_point(|(other, _)| other <= name);
            let found = rows.get(next).cloned().unwrap_or((name.clone(), Value::EndOfMibView));
            name.clone_from(&found.0);
            varbinds.push(found);
        }
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
