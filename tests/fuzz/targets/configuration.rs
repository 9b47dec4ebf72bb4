//! Configuration files: each is taken or refused with reasons, and no community of it is in any text that
//! is shown.
#![no_main]

use std::io::Write;

use libfuzzer_sys::fuzz_target;
use pdsno::app::config::{ConfigError, check_file};

fuzz_target!(|octets: &[u8]| {
    let path = std::env::temp_dir().join(format!("pdsno-fuzz-{}.yaml", std::process::id()));
    let written = std::fs::File::create(&path).and_then(|mut file| file.write_all(octets));
    written.expect("a file can be written");
    match check_file(&path) {
        Ok(loaded) => {
            for community in &loaded.config.security.snmp_communities {
                let community = String::from_utf8_lossy(community.as_bytes());
                // Short ones, and those that are words of ours, are found by chance.
                if community.len() > 12 {
                    let shown = |row: &pdsno::app::config::Row| row.value.contains(&*community);
                    let elsewhere = |row: &pdsno::app::config::Row| row.key != "security.snmp_communities";
                    assert!(loaded.rows().iter().filter(|row| !elsewhere(row)).all(|row| !shown(row)));
                }
            }
            assert!(!loaded.rows().is_empty());
        }
        Err(ConfigError::Invalid(problems)) => assert!(!problems.is_empty()),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
