//! Net-SNMP asks the agents of a fleet: they are agents of SNMP v3 for somebody else, too, and not only
//! the mirror of the program whose codec they use.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use pdsno::domain::credential::{AuthProtocol, PrivacyProtocol, User};
use serde_json::Value;

use crate::options::tests::USERS;
use crate::program::{Tested, run};
use crate::users::Users;
use crate::{in_front, truth};

/// One user more, whose key each engine has to stretch by hashing a mebibyte: that takes so long in a
/// debug build that few agents shall have him.
const STRETCHED: &str = "
- user: reeder
  auth_protocol: sha1
  auth_password: as Cisco has it
  privacy_protocol: aes256-cisco
  privacy_password: longer than long
";

const SYS_NAME: &str = "1.3.6.1.2.1.1.5.0";
const IF_DESCR: &str = "1.3.6.1.2.1.2.2.1.2";

/// A folder with what Net-SNMP's commands read about each user: no password is in an argument.
fn accounts(folder: &Path, users: &str) -> Tested {
    let users = Users::read(users)?;
    for user in (0..).map_while(|number| users.get(number)) {
        let own = folder.join(user.name.as_str());
        fs::create_dir_all(&own)?;
        fs::write(own.join("snmp.conf"), account(user)?)?;
    }
    Ok(())
}

fn account(user: &User) -> Tested<String> {
    let (protocol, password) = &user.authentication;
    let protocol = match protocol {
        AuthProtocol::Sha1 => "SHA",
        AuthProtocol::Sha256 => "SHA-256",
        AuthProtocol::Sha384 => "SHA-384",
        AuthProtocol::Sha512 => "SHA-512",
    };
    let level = if user.privacy.is_some() { "authPriv" } else { "authNoPriv" };
    let mut text = format!("defVersion 3\ndefSecurityName {}\ndefSecurityLevel {level}\n", user.name.as_str());
    let password = std::str::from_utf8(password.as_bytes())?;
    writeln!(text, "defAuthType {protocol}\ndefAuthPassphrase \"{password}\"")?;
    if let Some((protocol, password)) = &user.privacy {
        let protocol = match protocol {
            PrivacyProtocol::Aes128 => "AES",
            PrivacyProtocol::Aes256 => "AES-256",
            PrivacyProtocol::Aes256Cisco => "AES-256-C",
        };
        let password = std::str::from_utf8(password.as_bytes())?;
        writeln!(text, "defPrivType {protocol}\ndefPrivPassphrase \"{password}\"")?;
    }
    Ok(text)
}

/// What Net-SNMP prints, by the address of the agent, when it asks each as the user that it should know:
/// all at once, and each up to so often.
fn told(
    options: &[&str],
    users: &str,
    truth: &Value,
    command: &str,
    attempts: u32,
) -> Tested<BTreeMap<String, String>> {
    let folder = tempfile::tempdir()?;
    accounts(folder.path(), users)?;
    let at = folder.path().to_str().ok_or("a folder that is no text")?;
    // It would tell that it makes them.
    fs::create_dir_all(folder.path().join("state/cert_indexes"))?;
    let mut script = format!("export MIBS='' SNMP_PERSISTENT_DIR={at}/state\n");
    let object = if command == "snmpget" { SYS_NAME } else { IF_DESCR };
    let mut addresses = Vec::new();
    for host in truth["hosts"].as_array().ok_or("no hosts")? {
        let (address, user) = (&host["addresses"][0], &host["agent"]["engine"]["user"]);
        let (address, user) = (address.as_str().ok_or("no address")?, user.as_str().ok_or("no user")?);
        writeln!(
            script,
            "SNMPCONFPATH={at}/{user} {command} -r {} -t 1 -Oqv {address} {object} >{at}/{address} 2>&1 &",
            attempts - 1
        )?;
        addresses.push(address.to_owned());
    }
    script.push_str("wait\n");
    fs::write(folder.path().join("ask.sh"), script)?;
    run(&mut in_front(options, &["sh", &format!("{at}/ask.sh")]))?.printed()?;
    let said = |address: String| Ok((address.clone(), fs::read_to_string(folder.path().join(address))?));
    addresses.into_iter().map(said).collect()
}

#[test]
fn net_snmp_reads_what_the_truth_says() -> Tested {
    let folder = tempfile::tempdir()?;
    let users = folder.path().join("users.yaml");
    fs::write(&users, fs::read_to_string(USERS)? + STRETCHED)?;
    let users = users.to_str().ok_or("a folder that is no text")?;
    let options = ["--live", "0.05", "--snmp", "1", "--snmp-v3", "0.7", "--snmp-all", "0.3", "--snmp-users", users];
    let truth = truth(&options)?;
    // They all hash their passwords at the same time.
    let told = |command| told(&options, users, &truth, command, 20);
    let (names, tables) = (told("snmpget")?, told("snmpwalk")?);
    let hosts = truth["hosts"].as_array().ok_or("no hosts")?;
    let mut met = BTreeMap::new();
    for host in hosts {
        let (agent, address) = (&host["agent"], host["addresses"][0].as_str().ok_or("no address")?);
        assert_eq!(names[address].trim(), agent["sys_name"].to_string(), "{host}");
        let rows = agent["interfaces"].as_array().ok_or("no interfaces")?;
        let rows: Vec<String> = rows.iter().map(|row| row["name"].to_string()).collect();
        assert_eq!(tables[address].lines().collect::<Vec<_>>(), rows, "{host}");
        *met.entry(agent["engine"]["user"].to_string()).or_insert(0) += 1;
    }
    assert!(met.len() == 5 && met.values().all(|agents| *agents > 3), "each user and protocol: {met:?}");
    Ok(())
}

/// A clock that never agrees is not among them: Net-SNMP sets its own and asks again without end.
#[test]
fn net_snmp_tells_what_is_wrong_with_an_agent() -> Tested {
    for (fault, told_so) in [
        ("clock-told-wrongly", ""),
        ("other-user", "Unknown user name"),
        ("other-password", "Authentication failure"),
        ("other-protocol", "Authentication failure"),
        ("other-privacy", "Timeout"),
        ("undecryptable", "Decryption error"),
        ("no-privacy", "Unsupported security level"),
        ("reboots", ""),
        ("wrong-digest", "Authentication failed for"),
        ("wrong-message-id", "Timeout"),
    ] {
        let fault = format!("--v3-{fault}");
        let options = ["--live", "0.01", "--snmp", "1", "--snmp-v3", "1", "--snmp-users", USERS, &fault, "1"];
        let truth = truth(&options)?;
        let told = told(&options, USERS, &truth, "snmpwalk", 3)?;
        let hosts = truth["hosts"].as_array().ok_or("no hosts")?;
        assert!(hosts.len() > 5);
        for host in hosts.iter().filter(|host| host["faults"] != serde_json::json!([])) {
            let address = host["addresses"][0].as_str().ok_or("no address")?;
            let said = &told[address];
            if told_so.is_empty() {
                assert_eq!(Some(said.lines().count()), host["agent"]["interfaces"].as_array().map(Vec::len), "{said}");
            } else {
                assert!(said.contains(told_so), "{fault}: {said}");
            }
        }
    }
    Ok(())
}
