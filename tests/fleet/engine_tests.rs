use pdsno::wire::mib;
use pdsno::wire::oid::Oid;
use pdsno::wire::snmp::pdu::Value;

use super::*;
use crate::network::{Host, Network};
use crate::options::tests::{USERS, options};

const NOW: Duration = Duration::from_secs(60);

/// A fleet of agents that speak SNMP v3 alone.
fn network(faults: &str) -> Network {
    Network::new(options(&format!("--prefix 10.1.0.0/25 --live 1 --snmp 1 --snmp-v3 1 {faults} --snmp-users {USERS}")))
}

/// What is said to one engine, by whom who knows its user as the options have him.
struct Asker<'n> {
    network: &'n Network,
    place: u32,
    user: User,
    keys: LocalKeys,
    level: Level,
    security: SecurityParameters,
    max_size: u32,
    reportable: bool,
    context: &'static str,
}

/// What was said back.
type Said = (SecurityParameters, Level, ScopedPdu);

impl<'n> Asker<'n> {
    /// Of a host with this user.
    fn of(network: &'n Network, user: &str) -> Self {
        let account = |host: &Host| network.user(host.agent().unwrap().engine.unwrap()).unwrap();
        let place = network.hosts.iter().position(|host| account(host).name.as_str() == user).unwrap();
        let host = &network.hosts[place];
        let (agent, user) = (host.agent().unwrap(), account(host).clone());
        let id = host.engine_id(agent);
        let keys = MasterKeys::derive(&user).localise(&id);
        let security = SecurityParameters {
            engine: id.as_bytes().to_vec(),
            boots: agent.engine.unwrap().boots,
            time: agent.uptime + 60,
            user: user.name.as_str().into(),
        };
        let level = Protection::best(&keys, 0).level();
        let (place, max_size) = (u32::try_from(place).unwrap(), 1_472);
        Self { network, place, user, keys, level, security, max_size, reportable: true, context: "" }
    }

    fn message(&self, pdu: Pdu) -> Vec<u8> {
        let protection = match self.level {
            Level::Plain => Protection::Plain,
            Level::Authentic => Protection::Authentic(&self.keys.authentication),
            Level::Private => Protection::best(&self.keys, 7),
        };
        let (id, reportable) = (4_711, self.reportable);
        let head = Head { id, max_size: self.max_size, reportable, security: self.security.clone() };
        let context_name = self.context.into();
        let mut out = Vec::new();
        encode(&mut out, &head, &ScopedPdu { context_engine: Vec::new(), context_name, pdu }, protection);
        out
    }

    fn send(&self, engines: &mut Engines, now: Duration, message: &[u8]) -> Result<Vec<u8>, Silence> {
        let (network, host) = (self.network, &self.network.hosts[self.place as usize]);
        let view = View { network, host, agent: host.agent().unwrap(), now, starts: engines.starts(self.place) };
        let mut out = Vec::new();
        engines.respond(self.place, &view, message, false, &mut out)?;
        Ok(out)
    }

    fn ask(&self, engines: &mut Engines, now: Duration, oids: &[Oid]) -> Result<Said, Silence> {
        let out = self.send(engines, now, &self.message(Pdu::get(99, oids)))?;
        let sealed = Sealed::read(&out).unwrap();
        assert_eq!((sealed.head().id, sealed.head().reportable), (4_711, false));
        Ok((sealed.head().security.clone(), sealed.level(), sealed.open(Some(&self.keys)).expect("it is authentic")))
    }

    /// What a question at this time is reported for, with which protection.
    fn refused(&self, engines: &mut Engines, now: Duration) -> Option<(ReportCause, Level)> {
        let (_, level, scoped) = self.ask(engines, now, &[mib::SYS_NAME]).ok()?;
        ReportCause::of(&scoped.pdu).map(|cause| (cause, level))
    }
}

fn text(scoped: &ScopedPdu) -> String {
    match scoped.pdu.varbinds.as_slice() {
        [(_, Value::OctetString(octets))] => String::from_utf8(octets.clone()).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_engine_tells_its_name_and_its_clock_to_who_does_not_know_them() {
    let network = network("");
    let known = Asker::of(&network, "monitor");
    let stranger =
        Asker { level: Level::Plain, security: SecurityParameters::default(), ..Asker::of(&network, "monitor") };
    let mut engines = Engines::default();
    for count in 1..=3 {
        let (told, level, scoped) = stranger.ask(&mut engines, NOW, &[]).unwrap();
        assert_eq!((told, level), (SecurityParameters { user: Vec::new(), ..known.security.clone() }, Level::Plain));
        assert_eq!(scoped.pdu, ReportCause::UnknownEngine.report(99, count), "with the id of the question");
    }
    let silent = Asker { reportable: false, ..stranger };
    assert_eq!(silent.ask(&mut engines, NOW, &[]), Err(Silence::Discarded));
    assert_eq!(silent.send(&mut engines, NOW, &[0x30, 3, 2, 1, 3]), Err(Silence::Unreadable));
}

#[test]
fn each_user_is_answered_by_his_protocols_and_not_with_less() {
    let network = network("");
    let mut engines = Engines::default();
    for user in ["monitor", "old-monitor", "backbone", "watcher"] {
        let asker = Asker::of(&network, user);
        let (told, level, scoped) = asker.ask(&mut engines, NOW, &[mib::SYS_NAME]).unwrap();
        assert_eq!((told, level, scoped.pdu.request_id), (asker.security.clone(), asker.level, 99));
        assert!(text(&scoped).contains('-'), "{scoped:?}");
        let (_, _, scoped) = asker.ask(&mut engines, NOW, &[mib::SNMP_ENGINE_ID]).unwrap();
        assert_eq!(scoped.pdu.varbinds[0].1, Value::OctetString(asker.security.engine.clone()));
        for level in [Level::Plain, Level::Authentic].into_iter().filter(|level| *level < asker.level) {
            let (_, _, scoped) = Asker { level, ..Asker::of(&network, user) }.ask(&mut engines, NOW, &[]).unwrap();
            assert_eq!((scoped.pdu.kind, scoped.pdu.error_status), (PduKind::Response, AUTHORIZATION_ERROR));
        }
    }
}

#[test]
fn no_message_is_longer_than_either_side_takes() {
    let network = network("");
    for place in 0..network.hosts.len() {
        let user = network.user(network.hosts[place].agent().unwrap().engine.unwrap()).unwrap().name.clone();
        for max_size in [484, 700, 65_507] {
            let asker = Asker { max_size, ..Asker::of(&network, user.as_str()) };
            let most = network.hosts[asker.place as usize].agent().unwrap().most_octets.min(max_size as usize);
            let question = asker.message(Pdu::get_bulk(1, 0, 30, &[mib::IF_ENTRY, mib::SYS_DESCR]));
            let length = asker.send(&mut Engines::default(), NOW, &question).unwrap().len();
            assert!(length <= most && length > most / 2, "{length} of {most}");
        }
        if place > 20 {
            break;
        }
    }
}

#[test]
fn what_is_wrong_with_a_question_is_reported_by_its_cause() {
    let network = network("");
    let mut engines = Engines::default();
    let mut refused = |asker: Asker<'_>| asker.refused(&mut engines, NOW);
    let asker = || Asker::of(&network, "monitor");
    assert_eq!(refused(asker()), None);
    let mut stranger = asker();
    stranger.security.user = b"nobody".to_vec();
    assert_eq!(refused(stranger), Some((ReportCause::UnknownUser, Level::Plain)));
    let mut elsewhere = asker();
    elsewhere.security.engine[10] ^= 1;
    assert_eq!(refused(elsewhere), Some((ReportCause::UnknownEngine, Level::Plain)));
    let other = known_as(&asker().user, Some(Fault::OtherPassword));
    let keys = MasterKeys::derive(&other).localise(&asker().security.engine_id().unwrap());
    assert_eq!(refused(Asker { keys, ..asker() }), Some((ReportCause::WrongDigest, Level::Plain)));
    let context = Asker { context: "vlan-7", ..asker() };
    assert_eq!(refused(context), Some((ReportCause::UnknownContext, Level::Private)));
}

#[test]
fn a_question_is_of_now_for_150_seconds_and_of_this_start() {
    let network = network("");
    let mut engines = Engines::default();
    let asker = Asker::of(&network, "monitor");
    let late = Some((ReportCause::NotInTimeWindow, Level::Authentic));
    for (seconds, refused) in [(60, None), (210, None), (211, late), (0, None)] {
        assert_eq!(asker.refused(&mut engines, Duration::from_secs(seconds)), refused, "{seconds}");
    }
    for boots in [asker.security.boots - 1, asker.security.boots + 1] {
        let security = SecurityParameters { boots, ..asker.security.clone() };
        let other = Asker { security, ..Asker::of(&network, "monitor") };
        assert_eq!(other.refused(&mut engines, NOW), late, "{boots}");
    }
    let (told, _, _) = asker.ask(&mut engines, Duration::from_secs(999), &[]).unwrap();
    assert_eq!(told.time, asker.security.time + 939, "it tells its own time");
}

#[test]
fn an_agent_that_knows_its_user_otherwise_reports_as_that_has_it() {
    for (fault, reported) in [
        ("other-user", Ok(ReportCause::UnknownUser)),
        ("other-password", Ok(ReportCause::WrongDigest)),
        ("other-protocol", Ok(ReportCause::WrongDigest)),
        ("other-privacy", Err(Silence::Discarded)),
        ("undecryptable", Ok(ReportCause::DecryptionError)),
        ("no-privacy", Ok(ReportCause::UnsupportedLevel)),
    ] {
        let network = network(&format!("--v3-{fault} 1"));
        let asked = Asker::of(&network, "old-monitor").ask(&mut Engines::default(), NOW, &[mib::SYS_NAME]);
        assert_eq!(asked.map(|(_, _, scoped)| ReportCause::of(&scoped.pdu).unwrap()), reported, "{fault}");
    }
}

#[test]
fn a_clock_that_runs_away_is_never_agreed_with() {
    let network = network("--v3-clock-disagrees 1");
    let mut engines = Engines::default();
    let mut asker = Asker::of(&network, "monitor");
    for _ in 0..5 {
        let (told, level, scoped) = asker.ask(&mut engines, NOW, &[mib::SYS_NAME]).unwrap();
        assert_eq!((ReportCause::of(&scoped.pdu), level), (Some(ReportCause::NotInTimeWindow), Level::Authentic));
        assert_eq!((told.boots, told.time > asker.security.time), (asker.security.boots, true));
        asker.security = told;
    }
}

#[test]
fn a_clock_that_is_told_wrongly_is_set_by_what_is_authentic() {
    let network = network("--v3-clock-told-wrongly 1");
    let mut engines = Engines::default();
    let mut asker = Asker::of(&network, "monitor");
    let right = std::mem::take(&mut asker.security);
    asker.level = Level::Plain;
    let (told, _, _) = asker.ask(&mut engines, NOW, &[]).unwrap();
    assert!(told.engine == right.engine && told.boots != right.boots && told.time != right.time);
    (asker.level, asker.security) = (Level::Private, SecurityParameters { user: right.user.clone(), ..told });
    let (told, _, scoped) = asker.ask(&mut engines, NOW, &[]).unwrap();
    assert_eq!((told, ReportCause::of(&scoped.pdu)), (right.clone(), Some(ReportCause::NotInTimeWindow)));
    asker.security = right;
    assert_eq!(asker.refused(&mut engines, NOW), None);
}

#[test]
fn an_agent_that_starts_again_does_so_once_after_its_first_answer() {
    let network = network("--v3-reboots 1");
    let mut engines = Engines::default();
    let mut asker = Asker::of(&network, "watcher");
    let first = asker.ask(&mut engines, NOW, &[mib::SYS_UP_TIME]).unwrap();
    assert_eq!(first.0, asker.security);
    let (told, _, scoped) = asker.ask(&mut engines, NOW, &[mib::SYS_UP_TIME]).unwrap();
    assert_eq!(ReportCause::of(&scoped.pdu), Some(ReportCause::NotInTimeWindow));
    assert_eq!((told.boots, told.time), (first.0.boots + 1, 0));
    asker.security = told;
    for seconds in [3, 4] {
        let later = NOW + Duration::from_secs(seconds);
        let (told, _, scoped) = asker.ask(&mut engines, later, &[mib::SYS_UP_TIME, mib::SNMP_ENGINE_BOOTS]).unwrap();
        assert_eq!(u64::from(told.time), seconds);
        assert_eq!(scoped.pdu.varbinds[0].1, Value::TimeTicks(told.time * 100), "all of the agent starts again");
        assert_eq!(scoped.pdu.varbinds[1].1, Value::Integer(told.boots.cast_signed()));
    }
}

#[test]
fn replies_are_spoilt_in_what_makes_them_replies() {
    let (changed, strayed) = (network("--v3-wrong-digest 1"), network("--v3-wrong-message-id 1"));
    let reply = |network: &Network, user: &str| {
        let asker = Asker::of(network, user);
        let out = asker.send(&mut Engines::default(), NOW, &asker.message(Pdu::get(99, &[mib::SYS_NAME]))).unwrap();
        let sealed = Sealed::read(&out).unwrap();
        (sealed.head().id, sealed.open(Some(&asker.keys)).err())
    };
    for user in ["monitor", "watcher"] {
        assert_eq!(reply(&changed, user), (4_711, Some(MessageError::Digest)));
        assert_eq!(reply(&strayed, user), (4_711 ^ 0x40, None));
    }
}

#[test]
fn passwords_are_hashed_once_for_all_engines() {
    let network = network("--v3-other-password 0.5");
    let mut engines = Engines::default();
    for place in 0..network.hosts.len() {
        let asker = Asker { place: u32::try_from(place).unwrap(), ..Asker::of(&network, "monitor") };
        asker.ask(&mut engines, NOW, &[]).unwrap();
    }
    assert_eq!((engines.engines.len(), engines.masters.len()), (network.hosts.len(), 8));
}
