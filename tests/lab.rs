//! The lab itself: its hosts answer as it says they do, and nothing of it outlives it.

#[expect(dead_code, reason = "the handle also serves the tests of discovery and the benches")]
#[path = "lab/handle.rs"]
mod lab;

use std::error::Error;
use std::fs::{self, File};
use std::io;
use std::net::Ipv4Addr;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::{Command, Stdio};
use std::time::Duration;

use lab::{HostKind, Lab, LabPlan};
use pdsno::domain::address::MacAddr;
use rustix::process::{Pid, Signal, kill_process};

type Tested = Result<(), Box<dyn Error>>;

fn small() -> LabPlan {
    LabPlan { hosts: 4, snmp: 2, silent: 1, ..LabPlan::default() }
}

/// Whether an address answers an echo request; ARP is resolved on the way.
fn pings(lab: &Lab, address: Ipv4Addr) -> Result<bool, Box<dyn Error>> {
    let output = lab.command("ping").args(["-n", "-c1", "-W1", &address.to_string()]).output()?;
    match output.status.code() {
        Some(0) => Ok(true),
        Some(1) => Ok(false),
        _ => Err(format!("ping: {}; `make test` installs it", String::from_utf8_lossy(&output.stderr)).into()),
    }
}

/// Asks an agent for its sysName.
fn sys_name(lab: &Lab, address: Ipv4Addr, community: &str) -> Result<Option<String>, Box<dyn Error>> {
    let mut get = lab.command("snmpget");
    get.env("MIBS", "").args(["-v2c", "-c", community, "-r1", "-t1", "-Oqv"]);
    let output = get.args([&address.to_string(), ".1.3.6.1.2.1.1.5.0"]).output()?;
    match output.status.code() {
        Some(0) => Ok(Some(String::from_utf8(output.stdout)?.trim().trim_matches('"').to_owned())),
        Some(1) => Ok(None),
        _ => Err(format!("snmpget: {}; `make test` installs it", String::from_utf8_lossy(&output.stderr)).into()),
    }
}

/// The hardware address that ARP found for an address that was just pinged.
fn neighbour(lab: &Lab, address: Ipv4Addr) -> Result<Option<MacAddr>, Box<dyn Error>> {
    let output = lab.command("ip").args(["neighbour", "show", &address.to_string(), "dev", "lab0"]).output()?;
    let text = String::from_utf8(output.stdout)?;
    let mut words = text.split_whitespace().skip_while(|word| *word != "lladdr").skip(1);
    Ok(words.next().map(str::parse).transpose()?)
}

/// What a lab consists of for the kernel. The open files keep the numbers of its namespaces from
/// being given to another lab.
struct Traces {
    processes: File,
    networks: Vec<File>,
}

impl Traces {
    fn of(lab: &Lab) -> Result<Self, Box<dyn Error>> {
        let first = format!("/proc/{}", lab.first_process());
        let mut networks = vec![File::open(format!("{first}/ns/net"))?];
        for entry in fs::read_dir(format!("{first}/root/run/netns"))? {
            networks.push(File::open(entry?.path())?);
        }
        Ok(Self { processes: File::open(format!("{first}/ns/pid"))?, networks })
    }

    /// The processes in its namespaces and the mounts that pin these, outside the lab.
    fn found(&self) -> Result<Vec<String>, Box<dyn Error>> {
        let all_processes = self.processes.metadata()?.ino();
        let networks = self.networks.iter().map(|file| Ok(file.metadata()?.ino())).collect::<io::Result<Vec<_>>>()?;
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc")? {
            let process = entry?.path();
            // One that ended and that nobody waited for yet holds nothing.
            let stat = fs::read_to_string(process.join("stat")).unwrap_or_default();
            if stat.rsplit(')').next().is_none_or(|rest| rest.trim_start().starts_with('Z')) {
                continue;
            }
            let is_in = |namespace: &str, inodes: &[u64]| {
                fs::metadata(process.join("ns").join(namespace)).is_ok_and(|found| inodes.contains(&found.ino()))
            };
            if is_in("pid", &[all_processes]) || is_in("net", &networks) {
                found.push(format!("process {}", process.display()));
            }
        }
        for mount in fs::read_to_string("/proc/self/mountinfo")?.lines() {
            let pinned = networks.iter().any(|inode| mount.contains(&format!("net:[{inode}]")));
            if pinned || mount.contains("pdsno-lab") {
                found.push(format!("mount {mount}"));
            }
        }
        Ok(found)
    }
}

#[test]
fn every_host_answers_what_its_kind_answers() -> Tested {
    let lab = Lab::start(&LabPlan { communities: vec![("secret".to_owned(), 1)], ..small() })?;
    let truth = lab.truth()?;
    assert_eq!(truth.subnet, "10.0.1.0/24".parse()?);
    let kinds: Vec<_> = truth.hosts.iter().map(|host| host.kind).collect();
    assert_eq!(kinds, [HostKind::Snmp, HostKind::Snmp, HostKind::Plain, HostKind::Silent]);
    let communities: Vec<_> = truth.hosts.iter().flat_map(|host| &host.snmp).map(|agent| &agent.community).collect();
    assert_eq!(communities, ["public", "secret"]);
    for host in &truth.hosts {
        let address = host.addresses[0];
        assert_eq!(pings(&lab, address)?, host.kind != HostKind::Silent, "{host:?}");
        assert_eq!(neighbour(&lab, address)?, Some(host.mac), "{host:?}");
        if let Some(agent) = &host.snmp {
            assert_eq!(sys_name(&lab, address, &agent.community)?.as_ref(), Some(&agent.sys_name));
            assert_eq!(sys_name(&lab, address, "wrong")?, None);
        }
    }
    Ok(())
}

#[test]
fn a_host_is_unplugged_and_plugged_in_again() -> Tested {
    let lab = Lab::start(&small())?;
    let address = lab.truth()?.host("h3").ok_or("no h3")?.addresses[0];
    assert!(pings(&lab, address)?);
    lab.verb(&["unplug", "h3"])?;
    assert!(!lab.truth()?.host("h3").ok_or("no h3")?.plugged);
    assert!(!pings(&lab, address)?);
    lab.verb(&["plug", "h3"])?;
    assert!(lab.truth()?.host("h3").ok_or("no h3")?.plugged);
    assert!(pings(&lab, address)?);
    Ok(())
}

#[test]
fn hosts_come_go_and_change_their_addresses() -> Tested {
    let lab = Lab::start(&small())?;
    let (moved, second) = (Ipv4Addr::new(10, 0, 1, 40), Ipv4Addr::new(10, 0, 1, 41));
    lab.verb(&["readdress", "h1", "10.0.1.40"])?;
    lab.verb(&["alias", "h1", "10.0.1.41"])?;
    let truth = lab.truth()?;
    let h1 = truth.host("h1").ok_or("no h1")?;
    assert_eq!(h1.addresses, [moved, second]);
    assert!(pings(&lab, moved)? && pings(&lab, second)? && !pings(&lab, Ipv4Addr::new(10, 0, 1, 1))?);
    assert_eq!((neighbour(&lab, moved)?, neighbour(&lab, second)?), (Some(h1.mac), Some(h1.mac)));

    lab.verb(&["remove", "h3"])?;
    lab.verb(&["add", "h9", "snmp", "10.0.1.3", "02:00:00:00:00:99"])?;
    let truth = lab.truth()?;
    assert!(truth.host("h3").is_none());
    let h9 = truth.host("h9").ok_or("no h9")?;
    assert_eq!((h9.mac, &h9.addresses[..]), ("02:00:00:00:00:99".parse()?, &[Ipv4Addr::new(10, 0, 1, 3)][..]));
    assert!(sys_name(&lab, h9.addresses[0], "public")?.is_some());

    lab.verb(&["snmp-stop", "h9"])?;
    assert_eq!(sys_name(&lab, h9.addresses[0], "public")?, None);
    lab.verb(&["snmp-start", "h9"])?;
    assert!(sys_name(&lab, h9.addresses[0], "public")?.is_some());
    assert!(lab.verb(&["exec", "h9", "ip", "-4", "address"])?.contains("10.0.1.3/24"));
    Ok(())
}

#[test]
fn a_verb_that_cannot_be_done_says_why() -> Tested {
    let lab = Lab::start(&small())?;
    for (verb, why) in [
        (&["unplug", "h9"][..], "there is no host 'h9'"),
        (&["add", "h9", "loud"], "'loud' is not a kind"),
        (&["add", "h9", "plain", "10.0.1.1"], "10.0.1.1 is an address of h1"),
        (&["readdress", "h1", "10.0.2.1"], "10.0.2.1 is not a host address of 10.0.1.0/24"),
        (&["alias", "h1", "10.0.1.250"], "10.0.1.250 is the scanner's address"),
        (&["snmp-start", "h3"], "h3 has no agent"),
    ] {
        let error = lab.verb(verb).err().ok_or("done")?.to_string();
        assert!(error.contains(why), "{error}");
    }
    Ok(())
}

#[test]
fn a_program_in_the_lab_can_be_signalled_and_ends_with_its_command() -> Tested {
    let lab = Lab::start(&small())?;
    let mut command = lab.command("bash");
    command.args(["-c", "trap 'exit 7' TERM; echo; read -r"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut asked = command.spawn()?;
    io::Read::read_exact(asked.stdout.as_mut().ok_or("no stdout")?, &mut [0])?;
    kill_process(lab.program_of(&asked)?, Signal::TERM)?;
    assert_eq!(asked.wait()?.code(), Some(7));

    let mut killed = lab.command("cat").stdin(Stdio::piped()).spawn()?;
    let program = lab.program_of(&killed)?;
    killed.kill()?;
    killed.wait()?;
    assert!(lab::ends_within(program.as_raw_nonzero().get().unsigned_abs(), Duration::from_secs(10)));
    Ok(())
}

#[test]
fn nothing_is_left_of_a_lab_that_was_dropped() -> Tested {
    let lab = Lab::start(&small())?;
    let mut program = lab.command("cat").stdin(Stdio::piped()).spawn()?;
    lab.program_of(&program)?;
    let traces = Traces::of(&lab)?;
    assert_eq!(traces.networks.len(), 2 + 4);
    let found = traces.found()?;
    assert!(found.len() >= 4, "the lab's first process, two agents, cat: {found:?}");
    assert!(found.iter().all(|found| found.starts_with("process")), "mounts outside the lab: {found:?}");
    drop(lab);
    program.wait()?;
    assert_eq!(traces.found()?, [""; 0]);
    Ok(())
}

#[test]
fn nothing_is_left_of_a_lab_whose_holder_was_killed() -> Tested {
    let lab = Lab::start(&small())?;
    let traces = Traces::of(&lab)?;
    let holder = Pid::from_raw(lab.holder().cast_signed()).ok_or("no holder")?;
    kill_process(holder, Signal::KILL)?;
    assert!(lab::ends_within(lab.first_process(), Duration::from_secs(10)));
    assert_eq!(traces.found()?, [""; 0]);
    Ok(())
}

#[test]
fn labs_side_by_side_do_not_see_each_other() -> Tested {
    let (one, other) = (Lab::start(&small())?, Lab::start(&small())?);
    one.verb(&["unplug", "h1"])?;
    let address = other.truth()?.host("h1").ok_or("no h1")?.addresses[0];
    assert!(!pings(&one, address)? && pings(&other, address)?);
    drop(one);
    assert!(pings(&other, address)?);
    Ok(())
}

#[test]
fn a_lab_needs_no_root_where_user_namespaces_are_allowed() -> Tested {
    // The project's folder need not be readable for the user that the test becomes.
    let folder = tempfile::tempdir()?;
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
    for name in ["lab.sh", "namespaces.sh", "devices.sh", "verbs.sh"] {
        fs::copy(lab::script().with_file_name(name), folder.path().join(name))?;
    }
    let script = folder.path().join("lab.sh");
    let mut command = Command::new(if rustix::process::geteuid().is_root() { "setpriv" } else { "env" });
    if rustix::process::geteuid().is_root() {
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"]);
    }
    command.arg(&script).args(["run", "--hosts", "3", "--snmp", "1", "--silent", "1", "--"]);
    let output = command.arg(&script).arg("truth").current_dir("/").output()?;
    let text = String::from_utf8(output.stderr)?;
    if output.status.code() == Some(3) {
        assert!(text.contains("run as root"), "{text}");
        return Ok(());
    }
    assert!(output.status.success(), "{text}");
    let truth: lab::Truth = serde_json::from_slice(&output.stdout)?;
    assert_eq!(truth.hosts.len(), 3);
    assert!(truth.hosts[0].snmp.as_ref().is_some_and(|agent| agent.running));
    Ok(())
}

#[test]
fn bad_usage_builds_nothing_and_says_what_to_write() -> Tested {
    for (options, why) in [
        (&["--subnet", "10.0.1.1/24"][..], "'10.0.1.1/24' has host bits set"),
        (&["--subnet", "10.0.1.0/30"], "is not between 8 and 29"),
        (&["--hosts", "254"], "10.0.1.0/24 has no room for 254 hosts"),
        (&["--hosts", "4", "--snmp", "4", "--silent", "1"], "are more than --hosts 4"),
        (&["--community", "secret"], "--community needs NAME:COUNT"),
        (&["--loud"], "unknown option '--loud'"),
    ] {
        let output = Command::new(lab::script()).arg("run").args(options).args(["--", "true"]).output()?;
        let text = String::from_utf8(output.stderr)?;
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains(why), "{text}");
    }
    let outside = Command::new(lab::script()).args(["unplug", "h1"]).output()?;
    assert_eq!(outside.status.code(), Some(2));
    assert!(String::from_utf8(outside.stderr)?.contains("works inside a lab only"));
    Ok(())
}

#[test]
fn a_missing_tool_is_named_with_its_package() -> Tested {
    let bash = Command::new("bash").args(["-c", "command -v bash"]).output()?;
    let bash = String::from_utf8(bash.stdout)?;
    let nothing = tempfile::tempdir()?;
    // An empty folder in place of every path that the script would look in.
    let text = fs::read_to_string(lab::script())?.replace("PATH=$PATH:/usr/sbin:/sbin", "");
    for name in ["namespaces.sh", "devices.sh", "verbs.sh"] {
        fs::copy(lab::script().with_file_name(name), nothing.path().join(name))?;
    }
    fs::write(nothing.path().join("lab.sh"), text)?;
    let mut command = Command::new(bash.trim());
    let output = command.arg(nothing.path().join("lab.sh")).arg("run").env("PATH", nothing.path()).output()?;
    let text = String::from_utf8(output.stderr)?;
    assert_eq!(output.status.code(), Some(4), "{text}");
    assert!(text.contains("snmpd") && text.contains("apt-get install iproute2 util-linux snmpd"), "{text}");
    Ok(())
}
