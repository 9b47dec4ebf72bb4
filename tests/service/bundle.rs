//! The support bundle: what is in it, and what is not.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use flate2::read::GzDecoder;
use pdsno::nib::NibStore;
use pdsno::nib::sqlite::{OpenMode, SqliteNib};
use serde_json::Value;
use tempfile::TempDir;

use crate::handle::Daemon;
use crate::lab::{Lab, LabPlan};
use crate::program::{LIMIT, PDSNO, Tested, listing, pdsno, run, without_settings};

/// The files of a bundle by their names in its folder.
pub fn unpacked(path: &Path) -> Tested<BTreeMap<String, String>> {
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(GzDecoder::new(File::open(path)?)).entries()? {
        let mut entry = entry?;
        let name = entry.path()?.strip_prefix("pdsno-support")?.to_str().ok_or("no text")?.to_owned();
        let mut text = String::new();
        entry.read_to_string(&mut text)?;
        files.insert(name, text);
    }
    Ok(files)
}

pub fn json(files: &BTreeMap<String, String>, name: &str) -> Tested<Value> {
    Ok(serde_json::from_str(files.get(name).ok_or_else(|| format!("no {name} in {:?}", files.keys()))?)?)
}

/// An empty NIB in a folder.
fn folder() -> Tested<TempDir> {
    let folder = TempDir::new()?;
    let at = pdsno::domain::time::Timestamp::from_millis(1_795_255_200_250);
    SqliteNib::open(&folder.path().join("pdsno.db"), OpenMode::Migrate { actor: "standalone", at })?.close()?;
    Ok(folder)
}

#[test]
fn a_bundle_of_a_running_hierarchy_tells_all_and_no_secret() -> Tested {
    let lab = Lab::start(&LabPlan { hosts: 3, snmp: 1, silent: 0, ..LabPlan::default() })?;
    let folder = TempDir::new()?;
    let (data, communities) = (folder.path().join("data"), folder.path().join("communities"));
    fs::write(&communities, "public\nt0p-s3cret-community\n")?;
    fs::set_permissions(&communities, fs::Permissions::from_mode(0o600))?;
    let configuration = folder.path().join("pdsno.yaml");
    let text = format!(
        "controller:\n  role: all\n  region: zone-A\n  subnets: [10.0.1.0/29]\nsecurity:\n  snmp_communities_file: {}\n",
        communities.display()
    );
    fs::write(&configuration, text)?;
    let flags = [OsStr::new("--config"), configuration.as_os_str(), OsStr::new("--data-dir"), data.as_os_str()];
    let mut daemon = Daemon::begin(&lab, &flags)?;
    daemon.await_cycle()?;
    let issue = ["token", "issue", "--role", "regional", "--region", "zone-B", "--format", "json", "--data-dir"];
    let token = run(pdsno(&issue).arg(&data))?.json()?;
    let token = token["token"].as_str().ok_or("no token")?.to_owned();

    let bundle = folder.path().join("bundle.tar.gz");
    let made = run(pdsno(&["support-bundle"]).arg(&bundle).args(flags))?.printed()?;
    assert!(made.contains("bundle.tar.gz: "), "{made}");
    assert_eq!(fs::metadata(&bundle)?.permissions().mode() & 0o7777, 0o600);
    let files = unpacked(&bundle)?;
    let problems = json(&files, "problems.json")?;
    let problem = |file: &str| problems.as_array().into_iter().flatten().find(|one| one["file"] == file).cloned();
    // This test reads its log, and nobody else can.
    let log = problem("log.txt").ok_or("no word about the log")?["problem"].to_string();
    assert!(log.contains("logs to pipe:") && problems.as_array().is_some_and(|all| all.len() == 1), "{problems}");
    assert_eq!(json(&files, "versions.json")?["pdsno"], env!("CARGO_PKG_VERSION"));
    let keys = &json(&files, "configuration.json")?["keys"];
    assert_eq!(keys["controller.region"]["value"], "zone-A");
    for tier in ["global", "regional", "local"] {
        assert_eq!(json(&files, &format!("{tier}/live_status.json"))?["role"], tier);
        assert_eq!(json(&files, &format!("{tier}/nib_check.json"))?["sound"], true);
        assert_eq!(json(&files, &format!("{tier}/event_log.json"))?["verified"], true, "{tier}");
        assert!(files[&format!("{tier}/live_metrics.txt")].contains("pdsno_"), "{tier}");
        assert!(files[&format!("{tier}/daemon_limits.txt")].contains("Max open files"), "{tier}");
        assert!(files[&format!("{tier}/events.jsonl")].contains("CONTROLLER_STARTED"), "{tier}");
    }
    let cycle: Value = serde_json::from_str(files["local/cycles.jsonl"].lines().next().ok_or("no cycle")?)?;
    assert_eq!(cycle["payload"]["hosts"], 3);
    assert!(files["kernel.txt"].starts_with("Linux version"));
    assert_eq!(Some(&files["os.txt"]), fs::read_to_string("/etc/os-release").ok().as_ref());
    assert!(json(&files, "local/nib_check.json")?["schema"].as_u64().is_some_and(|schema| schema > 0));
    assert!(files["routes.txt"].contains("Gateway") && files["interfaces.json"].contains("\"lo\""));

    let mut secrets: Vec<Vec<u8>> = vec![b"t0p-s3cret-community".to_vec(), token.clone().into_bytes()];
    // The last part of a token is its secret.
    secrets.extend(token.rsplit(['.', '-', '_']).next().map(|part| part.as_bytes().to_vec()));
    let private: Vec<Vec<u8>> = listing(&data)?
        .into_iter()
        .filter(|(path, _)| path.to_string_lossy().contains("key"))
        .filter_map(|(_, content)| content)
        .collect();
    assert!(private.len() >= 3, "each controller has a key");
    for key in private {
        // What is the same in each file of a key, its head, is no secret.
        let tail = key.get(16..).ok_or("a key without octets")?;
        let hex: String = tail.iter().map(|octet| format!("{octet:02x}")).collect();
        secrets.extend([
            STANDARD.encode(&key).into_bytes(),
            STANDARD.encode(tail).trim_end_matches('=').as_bytes().to_vec(),
            URL_SAFE_NO_PAD.encode(tail).into_bytes(),
            hex.into_bytes(),
            key,
        ]);
    }
    assert_none_of(&files, &secrets);
    daemon.kill()
}

/// That no file has one of these texts, and no file's name.
fn assert_none_of(files: &BTreeMap<String, String>, secrets: &[Vec<u8>]) {
    for (name, text) in files {
        for secret in secrets.iter().filter(|secret| secret.len() > 8) {
            let has = |octets: &[u8]| octets.windows(secret.len()).any(|window| window == secret);
            let found = has(text.as_bytes()) || has(name.as_bytes());
            assert!(!found, "{name} has {:?}", String::from_utf8_lossy(secret));
        }
    }
}

/// A daemon that writes its log to a file; it ends with this.
struct Logging(Child);

impl Drop for Logging {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Has a cycle run, as soon as there is somebody to be asked.
fn discover(data: &Path) -> Tested<Value> {
    let deadline = Instant::now() + LIMIT;
    loop {
        let asked = run(pdsno(&["discover", "--wait", "--format", "json", "--data-dir"]).arg(data))?;
        if asked.code() == Some(0) || Instant::now() > deadline {
            return asked.json();
        }
    }
}

/// How a controller gets a secret, and what the origin of that setting is called.
#[derive(Default)]
struct Way<'a> {
    /// A line of the section in its configuration.
    security: &'a str,
    variable: Option<(&'a str, &'a str)>,
    arguments: &'a [&'a str],
    origin: &'a str,
}

/// The secrets of a controller come from a file, its environment, another file and its arguments; the bundle
/// is made by somebody who knows its data folder only.
#[test]
fn a_bundle_has_what_the_controller_was_started_with_and_its_log_and_none_of_its_secrets() -> Tested {
    let communities = vec![("n0t-public-at-all".to_owned(), 1)];
    let lab = Lab::start(&LabPlan { hosts: 2, snmp: 1, silent: 0, communities, ..LabPlan::default() })?;
    let folder = TempDir::new()?;
    let user = "[{user: monitor, auth_protocol: sha256, auth_password: auth-s3cret-words, \
                privacy_protocol: aes128, privacy_password: privacy-s3cret-words}]";
    let credentials = folder.path().join("credentials");
    fs::write(&credentials, user)?;
    fs::set_permissions(&credentials, fs::Permissions::from_mode(0o600))?;
    let configuration = folder.path().join("pdsno.yaml");
    let of_file = format!("  snmp_credentials_file: {}\n", credentials.display());
    let ways = [
        Way { security: "  snmp_communities: [n0t-public-at-all]\n", origin: "pdsno.yaml:", ..Way::default() },
        Way { variable: Some(("PDSNO_SECURITY__SNMP_CREDENTIALS", user)), origin: "CREDENTIALS", ..Way::default() },
        Way { security: &of_file, origin: "pdsno.yaml:", ..Way::default() },
        Way { arguments: &["--community", "n0t-public-at-all"], origin: "--community", ..Way::default() },
    ];
    for (number, Way { security, variable, arguments, origin }) in ways.into_iter().enumerate() {
        let (data, log) = (folder.path().join(format!("data-{number}")), folder.path().join(format!("log-{number}")));
        let rest = "  freshness_window_seconds: 299\n";
        let text = format!("controller:\n  role: local\n  subnets: [10.0.1.0/29]\nsecurity:\n{security}{rest}");
        fs::write(&configuration, text)?;
        let mut command = lab.command(PDSNO);
        // A path that begins where it was started.
        without_settings(&mut command).current_dir(folder.path()).args(["--config", "pdsno.yaml", "--data-dir"]);
        command.arg(&data).args(["--listen", "none"]).args(arguments).envs(variable);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log)?);
        let daemon = Logging(command.spawn()?);
        for _ in 0..2 {
            assert_eq!(discover(&data)?["hosts"], 2);
        }

        let bundle = folder.path().join(format!("{number}.tar.gz"));
        run(pdsno(&["support-bundle"]).arg(&bundle).arg("--data-dir").arg(&data))?.printed()?;
        let files = unpacked(&bundle)?;
        let problems = json(&files, "problems.json")?;
        let of: Vec<&Value> = problems.as_array().into_iter().flatten().map(|one| &one["file"]).collect();
        assert_eq!(of, ["event_log.json"], "a controller without a name has no log that is signed: {problems}");
        let told = json(&files, "configuration.json")?;
        assert!(told["of"].as_str().is_some_and(|of| of.starts_with("process ")), "{told}");
        assert_eq!(told["keys"]["controller.subnets"]["value"], "[10.0.1.0/29]", "{told}");
        assert_eq!(told["keys"]["security.freshness_window_seconds"]["value"], "299", "of the file that it reads");
        let origins = ["snmp_communities", "snmp_credentials", "snmp_credentials_file"]
            .map(|key| told["keys"][format!("security.{key}")]["origin"].to_string());
        assert!(origins.iter().any(|one| one.contains(origin)), "{origin} in {told}");
        assert_eq!(files["cycles.jsonl"].lines().count(), 3, "the first one, and those that were asked for");
        assert!(files["log.txt"].contains("local controller started"), "{}", files["log.txt"]);
        assert!(files["log.txt"].contains("discovery cycle ended"), "{}", files["log.txt"]);
        let secrets = ["n0t-public-at-all", "auth-s3cret-words", "privacy-s3cret-words"];
        assert_none_of(&files, &secrets.map(|secret| secret.as_bytes().to_vec()));
        drop(daemon);
    }
    Ok(())
}

#[test]
fn a_bundle_is_never_written_over_something() -> Tested {
    let folder = folder()?;
    let there = folder.path().join("there");
    fs::write(&there, "mine")?;
    let ran = run(pdsno(&["support-bundle"]).arg(&there).arg("--data-dir").arg(folder.path()))?;
    assert!(ran.code() == Some(2) && ran.err.contains("exists"), "{ran:?}");
    assert_eq!(fs::read_to_string(&there)?, "mine");
    Ok(())
}

#[test]
fn what_is_broken_is_told_in_the_bundle() -> Tested {
    let folder = TempDir::new()?;
    let (configuration, data) = (folder.path().join("bad.yaml"), folder.path().join("data"));
    fs::create_dir(&data)?;
    fs::write(&configuration, "policy:\n  probe_rat: 5\nsecurity:\n  snmp_communities: [hush-hush-hush]\n")?;
    let mut make = pdsno(&["support-bundle", "--config"]);
    make.arg(&configuration).arg("--data-dir").arg(&data).current_dir(folder.path());
    let made = run(&mut make)?.printed()?;
    let name = made.split(':').next().ok_or("no name")?;
    assert!(name.starts_with("pdsno-support-20") && name.ends_with("Z.tar.gz"), "{made}");
    let files = unpacked(&folder.path().join(name))?;
    let problems = json(&files, "problems.json")?.to_string();
    assert!(problems.contains("probe_rate") && problems.contains("pdsno.db"), "{problems}");
    assert!(files.contains_key("interfaces.json") && !files.contains_key("status.json"));
    assert!(files.values().all(|text| !text.contains("hush-hush-hush")));
    assert_eq!(fs::read_dir(&data)?.count(), 0, "nothing was made");
    Ok(())
}

#[test]
fn a_bundle_is_made_of_a_folder_where_nothing_runs() -> Tested {
    let folder = folder()?;
    let bundle = folder.path().join("bundle.tar.gz");
    run(pdsno(&["support-bundle"]).arg(&bundle).arg("--data-dir").arg(folder.path()))?.printed()?;
    let files = unpacked(&bundle)?;
    assert_eq!(json(&files, "status.json")?["running"], false);
    assert!(!files.contains_key("live_status.json"));
    assert_eq!(json(&files, "configuration.json")?["of"], "this command");
    // A controller without a name has no log that is signed.
    let problems = json(&files, "problems.json")?.to_string();
    assert!(problems.contains("no name yet"));
    // Of a service that was stopped the journal has the log.
    assert!(files.contains_key("log.txt") || problems.contains("no controller runs"), "{problems}");
    Ok(())
}
