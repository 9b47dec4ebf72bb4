//! What the service manager is told (sd_notify(3)): that the program is ready, that it stops, and that
//! it is alive.
//!
//! The manager names a datagram socket in `NOTIFY_SOCKET`; where there is none, nobody is told.

use std::convert::Infallible;
use std::ffi::OsString;
use std::future::pending;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use actix::Recipient;
use tracing::warn;

use crate::actors::health::{CheckHealth, PING_DEADLINE};

/// How often the manager is told that the program is alive, in the time in which it wants to hear that:
/// one word that is late, or one look that found somebody busy, must not end the program.
const WORDS: u32 = 4;

/// The service manager, if there is one.
#[derive(Debug, Default)]
pub struct ServiceManager {
    socket: Option<UnixDatagram>,
    /// How long the program may be silent before the manager starts it anew.
    watchdog: Option<Duration>,
}

impl ServiceManager {
    /// The one that started this process.
    pub fn of_this_process() -> Self {
        Self::of(|name| std::env::var_os(name), std::process::id())
    }

    /// The one that such an environment of such a process names. One that cannot be reached is in the
    /// log: it will say by itself that it was not told.
    pub fn of(variable: impl Fn(&str) -> Option<OsString>, process: u32) -> Self {
        let Some(name) = variable("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else { return Self::default() };
        let socket = connect(&name)
            .inspect_err(|error| warn!(%error, socket = %name.display(), "the service manager is not reached"));
        let number = |name| variable(name).and_then(|value| value.to_str()?.parse::<u64>().ok());
        let ours = number("WATCHDOG_PID").is_none_or(|meant| meant == u64::from(process));
        let watchdog = number("WATCHDOG_USEC").filter(|micros| ours && *micros > 0).map(Duration::from_micros);
        Self { socket: socket.ok(), watchdog }
    }

    /// Says that the program does what it is there for.
    pub fn ready(&self) {
        self.say("READY=1");
    }

    /// Says that the program ends.
    pub fn stopping(&self) {
        self.say("STOPPING=1");
    }

    /// Says that the program is alive whenever every actor that these watch over answers, where the manager
    /// wants to hear it.
    pub async fn keep_alive(&self, health: &[Recipient<CheckHealth>]) -> Infallible {
        let Some(watchdog) = self.watchdog.filter(|_| self.socket.is_some()) else { return pending().await };
        let mut ticks = tokio::time::interval(watchdog / WORDS);
        loop {
            ticks.tick().await;
            if all_answer(health).await {
                self.say("WATCHDOG=1");
            }
        }
    }

    fn say(&self, word: &str) {
        if let Some(socket) = &self.socket
            && let Err(error) = socket.send(word.as_bytes())
        {
            warn!(%error, word, "the service manager was not told");
        }
    }
}

fn connect(name: &OsString) -> std::io::Result<UnixDatagram> {
    // A name that begins with @ is of the abstract namespace (unix(7)).
    let address = match name.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(name)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&address)?;
    // A manager that does not read must not hold the program up.
    socket.set_nonblocking(true)?;
    Ok(socket)
}

async fn all_answer(health: &[Recipient<CheckHealth>]) -> bool {
    for one in health {
        match tokio::time::timeout(PING_DEADLINE * 2, one.send(CheckHealth)).await {
            Ok(Ok(health)) if health.silent.is_empty() => {}
            Ok(Ok(health)) => {
                warn!(silent = health.silent.join(", "), "the service manager is not told that all is well");
                return false;
            }
            Ok(Err(_)) | Err(_) => {
                warn!("the health actor does not answer: the service manager is not told that all is well");
                return false;
            }
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::ErrorKind;

    use actix::{Actor, Context, Handler, System};

    use super::*;
    use crate::actors::health::Health;

    /// Says which actors are silent.
    struct Doctor(Vec<&'static str>);

    impl Actor for Doctor {
        type Context = Context<Self>;
    }

    impl Handler<CheckHealth> for Doctor {
        type Result = actix::MessageResult<CheckHealth>;

        fn handle(&mut self, _: CheckHealth, _: &mut Self::Context) -> Self::Result {
            actix::MessageResult(Health { silent: self.0.clone(), discovered: None, validated: None, frozen: None })
        }
    }

    struct Heard {
        socket: UnixDatagram,
        _folder: tempfile::TempDir,
        manager: ServiceManager,
    }

    fn heard(more: &[(&str, &str)]) -> Heard {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        let mut variables: BTreeMap<String, OsString> =
            more.iter().map(|(name, value)| ((*name).to_owned(), OsString::from(value))).collect();
        variables.insert("NOTIFY_SOCKET".to_owned(), path.into());
        let manager = ServiceManager::of(|name| variables.get(name).cloned(), 7);
        Heard { socket, _folder: folder, manager }
    }

    impl Heard {
        /// What was said since the last look.
        fn words(&self) -> Vec<String> {
            let mut words = Vec::new();
            let mut buffer = [0; 64];
            loop {
                match self.socket.recv(&mut buffer) {
                    Ok(length) => words.push(String::from_utf8_lossy(&buffer[..length]).into_owned()),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return words,
                    Err(error) => panic!("{error}"),
                }
            }
        }

        /// What is said within a second of virtual time about actors of which these are silent.
        fn a_second_with(&self, silent: &[&'static str]) -> Vec<String> {
            System::new().block_on(async {
                tokio::time::pause();
                let health = Doctor(silent.to_vec()).start().recipient();
                let second = Duration::from_millis(990);
                let _elapsed = tokio::time::timeout(second, self.manager.keep_alive(&[health])).await;
            });
            self.words()
        }
    }

    #[test]
    fn the_manager_is_told_that_the_program_is_ready_and_that_it_stops() {
        let heard = heard(&[]);
        heard.manager.ready();
        heard.manager.stopping();
        assert_eq!(heard.words(), ["READY=1", "STOPPING=1"]);
        assert_eq!(heard.a_second_with(&[]), [""; 0], "nobody asked for signs of life");
    }

    #[test]
    fn signs_of_life_are_given_while_everybody_answers() {
        let heard = heard(&[("WATCHDOG_USEC", "1000000"), ("WATCHDOG_PID", "7")]);
        assert_eq!(heard.a_second_with(&[]), ["WATCHDOG=1"; 4]);
        assert_eq!(heard.a_second_with(&["nib"]), [""; 0]);
    }

    #[test]
    fn signs_of_life_that_another_process_owes_are_not_given() {
        let heard = heard(&[("WATCHDOG_USEC", "1000000"), ("WATCHDOG_PID", "8")]);
        assert_eq!(heard.a_second_with(&[]), [""; 0]);
    }

    #[test]
    fn without_a_manager_nobody_is_told() {
        let nobody = ServiceManager::of(|_| None, 7);
        nobody.ready();
        assert!(nobody.socket.is_none() && nobody.watchdog.is_none());
        let gone = ServiceManager::of(|name| (name == "NOTIFY_SOCKET").then(|| "/nowhere/notify".into()), 7);
        gone.stopping();
        assert!(gone.socket.is_none());
    }
}
