//! Sweeps by users of SNMP v3.

use super::*;
use crate::algorithms::discovery::sweep::access::tests::{Agent as Speaking, by_community, by_user, user};
use crate::domain::credential::{AuthProtocol, Credential, PrivacyProtocol, User};
use crate::wire::usm::message::Sealed;

fn settings_by(credentials: &[Credential]) -> SweepSettings {
    SweepSettings { credentials: prepare(credentials), ..settings(&[Protocol::Snmp]) }
}

fn answered(run: &Run, last: u8) -> bool {
    matches!(&run.host(last).snmp, Some(Ok(answer)) if answer.system.sys_name.as_deref() == Some("core-1"))
}

/// The engine's name comes after the last wait for it, while the community is being asked.
#[test]
fn an_agent_that_tells_its_engine_late_is_asked_on_as_the_user() {
    let right = user("monitor", "correct horse");
    for credentials in [
        vec![by_user(right.clone()), by_community("other")],
        vec![by_user(user("nobody", "correct horse")), by_user(right.clone()), by_community("other")],
    ] {
        let mut link = SimulatedLink::new([host(1, false, Agent::Silent)].into(), Faults::default());
        let agent = Speaking::new(right.clone());
        let speak = move |asked: &[u8]| {
            let asks_for_engine = Sealed::read(asked).is_ok_and(|asked| asked.head().security.engine.is_empty());
            Some((if asks_for_engine { MS(2_800) } else { MS(5) }, agent.answer(asked)?))
        };
        link.agents.insert([10, 0, 1, 1].into(), Box::new(speak));
        let run = run(&mut link, settings_by(&credentials), 1);
        assert!(answered(&run, 1), "{:?}", run.host(1));
        assert_eq!(run.stats(Protocol::Snmp).late, 1);
        assert!(run.end < MS(4_000), "{:?}", run.end);
    }
}

/// Keys that take longer to make than an answer is waited for delay others, and lose nobody.
#[test]
fn nobody_is_asked_again_because_keys_are_being_made() {
    let slow = |engine: u8| {
        let (_, password) = user("monitor", "correct horse").authentication;
        let (_, private) = user("monitor", "correct horse").privacy.unwrap();
        let slow = User {
            authentication: (AuthProtocol::Sha1, password),
            privacy: Some((PrivacyProtocol::Aes256Cisco, private)),
            ..user("monitor", "correct horse")
        };
        let mut agent = Speaking::new(slow.clone());
        agent.engine = format!("80001f88045566{engine:04x}").parse().unwrap();
        (slow, agent)
    };
    let hosts = (1..=60).map(|number| host(number, true, Agent::Public));
    let mut link = SimulatedLink::new(hosts.collect(), Faults::default());
    link.keys_take = MS(150);
    for number in 1..=6 {
        let (_, agent) = slow(number);
        let speak = move |asked: &[u8]| Some((MS(20), agent.answer(asked)?));
        link.agents.insert([10, 0, 1, number].into(), Box::new(speak));
    }
    let (monitor, _) = slow(0);
    let run = run(&mut link, settings_by(&[by_community("public"), by_user(monitor)]), 1);
    assert_eq!(link.keys_made, 6, "one after the other");
    assert!((1..=6).all(|number| answered(&run, number)));
    let snmp = run.stats(Protocol::Snmp);
    // Those six are asked for the community three times.
    assert_eq!((snmp.hosts, snmp.late, snmp.duplicates, snmp.retried), (60, 0, 0, 12));
}
