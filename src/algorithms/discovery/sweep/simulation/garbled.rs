//! What cannot be read, and whose it is.

use std::net::SocketAddrV4;

use super::*;

/// Why an agent is said to have told nothing whose questions are all heard, and answered by `speak` alone.
fn reason(mut sweep: LinkSweep, mut speak: impl FnMut(&mut LinkSweep, Duration, &[u8], &SimulatedHost)) -> SnmpFailure {
    let (address, host) = host(1, false, Agent::Garbled);
    let (mut now, mut packet) = (Duration::ZERO, Vec::new());
    loop {
        match sweep.next(now, &mut packet) {
            Step::Send if packet[12..14] == [8, 6] => {
                if packet[38..42] == address.octets() {
                    sweep.on_frame(now, &answer(&packet, 0, &host).unwrap());
                }
            }
            Step::Send if packet[23] == 1 => {}
            Step::SendEcho(to) => {
                packet[0] = 0;
                packet[2..4].fill(0);
                let sum = checksum(&packet);
                packet[2..4].copy_from_slice(&sum);
                sweep.on_echo_reply(now, to, &packet);
            }
            Step::Send | Step::SendSnmp(_) => speak(&mut sweep, now, &packet, &host),
            Step::Wait(until) => now = until,
            Step::Prepared => {}
            Step::Done => break,
        }
    }
    match &sweep.finish().hosts[..] {
        [one] => one.snmp.clone().unwrap().unwrap_err(),
        others => panic!("{others:?}"),
    }
}

/// The same of a link, where a garbled answer is changed before it is heard.
fn of_frame(change: impl Fn(&mut [u8])) -> SnmpFailure {
    reason(LinkSweep::new(link_plan("10.0.1.0/30"), settings(&Protocol::ALL), 1), |sweep, now, question, host| {
        let mut garbled = answer(question, 17, host).unwrap();
        change(&mut garbled);
        garbled[24..26].fill(0);
        let sum = checksum(&garbled[14..34]);
        garbled[24..26].copy_from_slice(&sum);
        sweep.on_frame(now, &garbled);
    })
}

#[test]
fn what_cannot_be_read_is_an_agents_where_it_came_as_the_agent_would_send_it() {
    assert_eq!(of_frame(|_| {}), SnmpFailure::Malformed);
    type Change = fn(&mut [u8]);
    let strange: [(&str, Change); 4] = [
        ("another station", |frame| frame[11] = 0x77),
        ("another port", |frame| frame[34..36].copy_from_slice(&162_u16.to_be_bytes())),
        ("to another port", |frame| frame[36..38].copy_from_slice(&40_001_u16.to_be_bytes())),
        ("to another address", |frame| frame[33] = 251),
    ];
    for (what, change) in strange {
        assert_eq!(of_frame(change), SnmpFailure::Timeout, "{what}");
    }
}

#[test]
fn beside_frames_the_kernel_does_not_tell_whose_it_was() {
    let sweep = LinkSweep::new(link_plan("10.0.1.0/30"), settings(&Protocol::ALL), 1);
    let told =
        reason(sweep, |sweep, now, _, _| sweep.on_datagram(now, SocketAddrV4::new([10, 0, 1, 1].into(), 161), b"?"));
    assert_eq!(told, SnmpFailure::Timeout);
}

#[test]
fn through_the_kernel_it_is_known_by_address_and_port() {
    let told = |from: &str| {
        let link = link_plan("10.0.1.0/24").link;
        let plan = plan(&["10.0.2.1".parse().unwrap()], None, &[link]).unwrap().kernel.unwrap();
        let sweep = LinkSweep::through_kernel(plan, 1_024, settings(&Protocol::ALL), 1);
        reason(sweep, |sweep, now, _, _| sweep.on_datagram(now, from.parse().unwrap(), b"?"))
    };
    let reasons = ["10.0.2.1:161", "10.0.2.1:162", "10.0.2.2:161"].map(told);
    assert_eq!(reasons, [SnmpFailure::Malformed, SnmpFailure::Timeout, SnmpFailure::Timeout]);
}
