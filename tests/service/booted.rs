//! The unit under the real service manager: systemd boots in the scanner of a lab, with what `make install`
//! puts in place, and runs pdsno with all of its hardening.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use rustix::process::geteuid;
use serde_json::Value;
use tempfile::TempDir;

use crate::bundle::{json, unpacked};
use crate::installed::install;
use crate::lab::{Lab, LabPlan, ends_within};
use crate::program::{LIMIT, Ran, Tested, run};

/// What a script answers where the machine does not permit what it needs.
const NOT_PERMITTED: i32 = 3;

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/service/boot.sh")
}

/// A machine with systemd as its first process. Dropping it ends everything on it.
struct Booted {
    holder: Child,
    folder: TempDir,
    lab: Lab,
}

impl Booted {
    /// Boots it, with three hosts beside it, of which one has an agent and one answers ARP only; `None` where
    /// this machine permits no such thing, with the reason on the standard error of the test.
    fn new() -> Tested<Option<Self>> {
        let communities = vec![("only-for-root".to_owned(), 1)];
        let lab = Lab::start(&LabPlan { hosts: 3, snmp: 1, silent: 1, communities, ..LabPlan::default() })?;
        let folder = TempDir::new()?;
        install(&[&format!("DESTDIR={}", folder.path().display())])?.printed()?;
        let configuration = "controller:\n  subnets: [10.0.1.0/29]\npolicy:\n  probe_attempts: 2\n";
        fs::write(folder.path().join("etc/pdsno/pdsno.yaml"), configuration)?;
        let mut hold = lab.command(script());
        hold.arg("hold").arg(folder.path()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut holder = hold.spawn()?;
        let mut said = String::new();
        BufReader::new(holder.stdout.take().ok_or("no stdout")?).read_line(&mut said)?;
        if said == "ready\n" {
            return Ok(Some(Self { holder, folder, lab }));
        }
        let mut text = String::new();
        holder.stderr.take().ok_or("no stderr")?.read_to_string(&mut text)?;
        if holder.wait()?.code() == Some(NOT_PERMITTED) {
            eprintln!("SKIPPED: systemd cannot be booted here: {text}");
            assert!(!geteuid().is_root() || !has_control_groups(), "root and cgroup2 are all that it needs: {text}");
            return Ok(None);
        }
        Err(format!("not booted: {said}{text}").into())
    }

    /// Takes it down; nothing is left of it.
    fn end(mut self) -> Tested {
        drop(self.holder.stdin.take());
        assert!(ends_within(self.holder.id(), LIMIT), "it goes on");
        let ended = self.holder.wait()?;
        let mut text = String::new();
        self.holder.stderr.take().ok_or("no stderr")?.read_to_string(&mut text)?;
        assert!(ended.success(), "{ended}: {text}");
        Ok(())
    }

    /// A command on the machine, as root.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.lab.command(script());
        command.arg("enter").args(arguments);
        command
    }

    /// What it ended with.
    fn runs(&self, arguments: &[&str]) -> Tested<Ran> {
        run(&mut self.command(arguments))
    }

    /// What it printed, where it ended with 0; else the journal is the reason.
    fn prints(&self, arguments: &[&str]) -> Tested<String> {
        self.runs(arguments)?.printed().map_err(|error| format!("{arguments:?}: {error}\n{}", self.journal()).into())
    }

    /// Everything that the service and its manager logged.
    fn journal(&self) -> String {
        let told = self.runs(&["journalctl", "--no-pager", "--output=short", "--unit=pdsno"]);
        told.map_or_else(|error| error.to_string(), |ran| ran.out + &ran.err)
    }

    /// A property of the service, as systemd has it.
    fn property(&self, name: &str) -> Tested<String> {
        Ok(self.prints(&["systemctl", "show", "pdsno", "-P", name])?.trim().to_owned())
    }

    /// Waits until the service has the property.
    fn await_property(&self, name: &str, meant: impl Fn(&str) -> bool) -> Tested<String> {
        let deadline = Instant::now() + LIMIT;
        loop {
            match self.property(name)? {
                value if meant(&value) => return Ok(value),
                value if Instant::now() > deadline => return Err(format!("{name} {value}\n{}", self.journal()).into()),
                _ => {}
            }
        }
    }

    /// Waits until the journal has a text as often as that.
    fn await_journal(&self, text: &str, times: usize) -> Tested {
        let deadline = Instant::now() + LIMIT;
        loop {
            let journal = self.journal();
            if journal.matches(text).count() >= times {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(format!("no {text:?} in\n{journal}").into());
            }
        }
    }

    /// Writes a file on the machine.
    fn write(&self, path: &str, text: &str) -> Tested {
        let file = self.folder.path().join("handed-over");
        fs::write(&file, text)?;
        let mut tee = self.command(&["install", "-D", "-m", "600", "/dev/stdin", path]);
        let written = tee.stdin(fs::File::open(&file)?).stdout(Stdio::null()).spawn()?.wait()?;
        if written.success() { Ok(()) } else { Err(format!("{path} was not written").into()) }
    }

    /// A line of a process's status (proc_pid_status(5)).
    fn status_of(&self, process: &str, key: &str) -> Tested<String> {
        let status = self.prints(&["cat", &format!("/proc/{process}/status")])?;
        let value = status.lines().find_map(|line| line.strip_prefix(key)).ok_or("no such line")?;
        Ok(value.trim().to_owned())
    }
}

impl Drop for Booted {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        if !ends_within(self.holder.id(), LIMIT) {
            let _ = self.holder.kill();
        }
        let _ = self.holder.wait();
    }
}

/// Whether this kernel has the hierarchy that systemd needs, where it can be used.
fn has_control_groups() -> bool {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    mounts.lines().any(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        matches!(words[..], [_, _, "cgroup2", options, ..] if options.split(',').any(|option| option == "rw"))
    })
}

const DATA: &str = "/var/lib/pdsno";

#[test]
fn the_manager_starts_reloads_and_stops_it() -> Tested {
    let Some(machine) = Booted::new()? else { return Ok(()) };
    machine.prints(&["systemctl", "enable", "pdsno"])?;
    // As at the end of a boot; systemctl comes back when the program has said that it is ready.
    machine.prints(&["systemctl", "start", "multi-user.target"])?;
    assert_eq!((machine.property("ActiveState")?, machine.property("Type")?), ("active".into(), "notify".into()));
    machine.await_journal("discovery cycle ended", 1)?;
    let devices = machine.prints(&["pdsno", "devices", "--format", "json", "--data-dir", DATA])?;
    let devices: Value = serde_json::from_str(&devices)?;
    let methods: Vec<String> =
        devices["devices"].as_array().into_iter().flatten().map(|one| one["methods"].to_string()).collect();
    assert_eq!(methods, [r#"["arp","icmp"]"#, r#"["arp","icmp"]"#, r#"["arp"]"#], "frames were sent: {devices}");
    let status = machine.prints(&["pdsno", "status", "--data-dir", DATA])?;
    assert!(status.contains("controller  running") && status.contains("devices     3 "), "{status}");
    // The folder is systemd's to make and the user's alone.
    let stat = machine.prints(&["stat", "-L", "-c", "%U %a", DATA, &format!("{DATA}/pdsno.db")])?;
    assert_eq!(stat, "pdsno 700\npdsno 600\n");

    // Communities that only root can read, as the unit's head and the README tell.
    machine.write("/etc/pdsno/snmp-communities", "only-for-root\n")?;
    machine.write(
        "/etc/systemd/system/pdsno.service.d/communities.conf",
        "[Service]\nLoadCredential=snmp-communities:/etc/pdsno/snmp-communities\n\
         Environment=PDSNO_SECURITY__SNMP_COMMUNITIES_FILE=%d/snmp-communities\n",
    )?;
    machine.prints(&["systemctl", "daemon-reload"])?;
    machine.prints(&["systemctl", "restart", "pdsno"])?;
    machine.await_journal("discovery cycle ended", 2)?;
    let device = machine.prints(&["pdsno", "device", "10.0.1.1", "--data-dir", DATA])?;
    assert!(device.contains("sysName           cisco-router-1"), "{device}");

    // A reload takes a good configuration over, and refuses a bad one without an end.
    let process = machine.property("MainPID")?;
    machine.write("/etc/pdsno/pdsno.yaml", "controller:\n  subnets: [10.0.1.0/29]\npolicy:\n  probe_attempts: 1\n")?;
    machine.prints(&["chmod", "644", "/etc/pdsno/pdsno.yaml"])?;
    machine.prints(&["systemctl", "reload", "pdsno"])?;
    machine.await_journal("configuration read again and taken over", 1)?;
    machine.write("/etc/pdsno/pdsno.yaml", "controller:\n  subnets: [10.0.1.0/99]\n")?;
    machine.prints(&["chmod", "644", "/etc/pdsno/pdsno.yaml"])?;
    machine.prints(&["systemctl", "reload", "pdsno"])?;
    machine.await_journal("10.0.1.0/99", 1)?;
    assert_eq!((machine.property("ActiveState")?, machine.property("MainPID")?), ("active".into(), process));

    a_bundle_is_made_of_it(&machine)?;

    machine.prints(&["systemctl", "stop", "pdsno"])?;
    let ended = ["Result", "ExecMainCode", "ExecMainStatus", "NRestarts"].map(|name| machine.property(name));
    let ended: Vec<String> = ended.into_iter().collect::<Tested<_>>()?;
    assert_eq!(ended, ["success", "1", "0", "0"], "it ended itself, in time: {}", machine.journal());
    assert!(machine.prints(&["pdsno", "status", "--data-dir", DATA])?.contains("stopped"));

    // What it cannot be started with is told, and not tried again and again.
    assert_ne!(machine.runs(&["systemctl", "start", "pdsno"])?.code(), Some(0));
    let refused = [machine.property("ExecMainStatus")?, machine.property("NRestarts")?, machine.property("SubState")?];
    assert_eq!(refused, ["2", "0", "failed"]);
    machine.await_journal("controller.subnets", 2)?;
    machine.end()
}

/// The bundle of a service: the journal, and the configuration of its unit, which nobody named.
fn a_bundle_is_made_of_it(machine: &Booted) -> Tested {
    machine.prints(&["pdsno", "support-bundle", "/tmp/bundle.tar.gz", "--data-dir", DATA])?;
    let copy = machine.folder.path().join("bundle.tar.gz");
    let mut cat = machine.command(&["cat", "/tmp/bundle.tar.gz"]);
    assert!(cat.stdout(fs::File::create(&copy)?).spawn()?.wait()?.success());
    let files = unpacked(&copy)?;
    assert!(files["log.txt"].contains("local controller started"), "{}", files["log.txt"]);
    assert!(files["log.txt"].contains("Started pdsno.service"), "the manager's own words: {}", files["log.txt"]);
    // The file is a bad one by now; what is wrong with it is told.
    let problems = json(&files, "problems.json")?.to_string();
    assert!(problems.contains("/etc/pdsno/pdsno.yaml:2") && problems.contains("10.0.1.0/99"), "{problems}");
    for (name, text) in &files {
        assert!(!text.contains("only-for-root"), "{name}");
    }
    Ok(())
}

#[test]
fn the_manager_starts_it_again_when_it_is_killed_or_hangs() -> Tested {
    let Some(machine) = Booted::new()? else { return Ok(()) };
    machine.prints(&["systemctl", "start", "pdsno"])?;
    let first = machine.property("MainPID")?;
    machine.prints(&["systemctl", "kill", "--kill-whom=main", "--signal=KILL", "pdsno"])?;
    machine.await_property("NRestarts", |restarts| restarts == "1")?;
    let second = machine.await_property("MainPID", |process| process != "0" && process != first)?;
    machine.await_property("ActiveState", |state| state == "active")?;

    // A second instead of thirty: what is done is the same.
    machine.write("/etc/systemd/system/pdsno.service.d/watchdog.conf", "[Service]\nWatchdogSec=1s\nRestartSec=0\n")?;
    machine.prints(&["systemctl", "daemon-reload"])?;
    machine.prints(&["systemctl", "restart", "pdsno"])?;
    let third = machine.property("MainPID")?;
    assert_ne!(third, second);
    let told = machine.property("WatchdogTimestampMonotonic")?;
    machine.await_property("WatchdogTimestampMonotonic", |newer| newer != told)?;
    machine.prints(&["kill", "-STOP", &third])?;
    machine.await_property("NRestarts", |restarts| restarts != "0")?;
    machine.await_property("ActiveState", |state| state == "active")?;
    machine.await_journal("Watchdog timeout", 1)?;
    assert!(machine.prints(&["pdsno", "nib", "check", "--data-dir", DATA])?.contains("is sound"));
    machine.end()
}

/// What a program in the place of pdsno tries, and whether it can: under the unit, and as any user without it;
/// `None` where machines differ.
const ATTEMPTS: [(&str, bool, Option<bool>); 11] = [
    ("touch $STATE_DIRECTORY/x", true, Some(true)),
    ("touch /tmp/x", true, Some(true)),
    ("cat /proc/self/status", true, Some(true)),
    ("touch /etc/x", false, Some(false)),
    ("touch /usr/local/bin/x", false, Some(false)),
    ("ls /root", false, Some(true)),
    ("cat /proc/1/status", false, Some(true)),
    ("cat /proc/sys/kernel/osrelease", false, Some(true)),
    ("chmod u+s $STATE_DIRECTORY/x", false, Some(true)),
    ("hostname other", false, Some(false)),
    ("unshare --user true", false, None),
];

/// Runs the attempts as a service; returns whether each could be done.
fn attempts(machine: &Booted, name: &str, unit: &str) -> Tested<Vec<bool>> {
    let line = |(number, (what, ..)): (usize, &(&str, bool, Option<bool>))| {
        format!("{what} >/dev/null 2>&1; echo {number} $? >>$STATE_DIRECTORY/told\n")
    };
    machine.write("/etc/pdsno/attempts.sh", &ATTEMPTS.iter().enumerate().map(line).collect::<String>())?;
    machine.prints(&["chmod", "644", "/etc/pdsno/attempts.sh"])?;
    machine.write(&format!("/etc/systemd/system/{name}.service"), unit)?;
    machine.prints(&["systemctl", "daemon-reload"])?;
    machine.prints(&["systemctl", "start", name])?;
    let told = machine.prints(&["cat", &format!("/var/lib/{name}/told")])?;
    let could = |number: usize| {
        let mut lines = told.lines().filter_map(|line| line.strip_prefix(&format!("{number} ")));
        let code = lines.next().ok_or_else(|| format!("attempt {number} in {told}"))?;
        // A program that is missing is no proof.
        assert!(!["126", "127"].contains(&code), "{}", ATTEMPTS[number].0);
        Ok(code == "0")
    };
    (0..ATTEMPTS.len()).map(could).collect()
}

#[test]
fn the_manager_gives_it_no_right_that_it_does_not_need() -> Tested {
    let Some(machine) = Booted::new()? else { return Ok(()) };
    machine.prints(&["systemctl", "start", "pdsno"])?;
    let process = machine.property("MainPID")?;
    for (key, value) in [
        ("CapInh:", "0000000000000000"),
        ("CapPrm:", "0000000000000000"),
        ("CapEff:", "0000000000000000"),
        ("CapAmb:", "0000000000000000"),
        // CAP_NET_RAW is the thirteenth: nothing else can ever be had.
        ("CapBnd:", "0000000000002000"),
        ("NoNewPrivs:", "1"),
        // SECCOMP_MODE_FILTER
        ("Seccomp:", "2"),
    ] {
        assert_eq!(machine.status_of(&process, key)?, value, "{key}");
    }
    let users = machine.status_of(&process, "Uid:")?;
    assert!(users.split_whitespace().all(|user| user != "0"), "{users}");

    // Another program in its place: the same unit, but for what it runs.
    let mut unit = machine.prints(&["cat", "/usr/local/lib/systemd/system/pdsno.service"])?;
    for (from, to) in [
        ("Type=notify", "Type=oneshot"),
        ("WatchdogSec=30s", ""),
        ("Restart=on-failure", ""),
        ("StateDirectory=pdsno", "StateDirectory=hardened"),
    ] {
        assert!(unit.contains(from), "{from} in {unit}");
        unit = unit.replace(from, to);
    }
    let command = unit.lines().find(|line| line.starts_with("ExecStart=")).ok_or("no command")?.to_owned();
    let attempt = "ExecStart=/bin/sh ${CONFIGURATION_DIRECTORY}/attempts.sh";
    let could = attempts(&machine, "hardened", &unit.replace(&command, attempt))?;
    for ((what, can, _), could) in ATTEMPTS.iter().zip(could) {
        assert_eq!(could, *can, "{what}");
    }
    // It is the unit that forbids it.
    let bare =
        format!("[Service]\nType=oneshot\nUser=65534\nStateDirectory=bare\nConfigurationDirectory=pdsno\n{attempt}\n");
    let could = attempts(&machine, "bare", &bare)?;
    for ((what, _, can), could) in ATTEMPTS.iter().zip(could) {
        assert!(can.is_none_or(|can| can == could), "{what} without the unit: {could}");
    }
    machine.end()
}
