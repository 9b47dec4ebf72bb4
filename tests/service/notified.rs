//! What the service manager is told while a daemon runs.

use std::ffi::OsStr;
use std::os::unix::net::UnixDatagram;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::handle::Daemon;
use crate::lab::{Lab, LabPlan};
use crate::program::{LIMIT, Tested};

struct Manager {
    folder: TempDir,
    socket: UnixDatagram,
}

impl Manager {
    fn new() -> Tested<Self> {
        let folder = TempDir::new()?;
        let socket = UnixDatagram::bind(folder.path().join("notify"))?;
        socket.set_read_timeout(Some(LIMIT))?;
        Ok(Self { folder, socket })
    }

    fn hears(&self) -> Tested<String> {
        let mut buffer = [0; 64];
        let length = self.socket.recv(&mut buffer)?;
        Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
    }

    /// What comes after all signs of life.
    fn hears_at_last(&self) -> Tested<String> {
        loop {
            match self.hears()? {
                sign if sign == "WATCHDOG=1" => {}
                other => return Ok(other),
            }
        }
    }

    fn starts(&self, lab: &Lab, arguments: &[&str]) -> Tested<Daemon> {
        let (notify, data) = (self.folder.path().join("notify"), self.folder.path().join("data"));
        let variables = [("NOTIFY_SOCKET", notify.as_os_str()), ("WATCHDOG_USEC", OsStr::new("400000"))];
        let mut all: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
        all.extend([OsStr::new("--data-dir"), data.as_os_str()]);
        Daemon::begin_with(lab, &variables, &all)
    }
}

#[test]
fn a_controller_is_ready_alive_and_stopping() -> Tested {
    let lab = Lab::start(&LabPlan { hosts: 1, snmp: 0, silent: 0, ..LabPlan::default() })?;
    let all = ["--role", "all", "--region", "zone-A"];
    for role in [&["--role", "local"][..], &all] {
        let manager = Manager::new()?;
        let rest = ["--subnets", "10.0.1.0/30", "--protocols", "arp", "--listen", "none"];
        let daemon = manager.starts(&lab, &[role, &rest].concat())?;
        assert_eq!(manager.hears()?, "READY=1", "{role:?}");
        for _ in 0..3 {
            assert_eq!(manager.hears()?, "WATCHDOG=1", "{role:?}");
        }
        daemon.signal(Signal::TERM)?;
        assert_eq!(manager.hears_at_last()?, "STOPPING=1", "{role:?}");
        let (status, log) = daemon.end()?;
        assert!(status.success(), "{log:?}");
    }
    Ok(())
}
