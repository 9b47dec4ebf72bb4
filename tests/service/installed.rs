//! `make install`, the unit, and the manual pages.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::program::{PDSNO, Ran, Tested, listing, pdsno, run};

/// The exposure that `systemd-analyze security` may find at most, in tenths: what is left is the network,
/// CAP_NET_RAW, and users of the host, among whom a controller tells who may command it.
const MOST_EXPOSED: &str = "20";

pub fn install(settings: &[&str]) -> Tested<Ran> {
    let mut make = Command::new("make");
    make.args(["--no-print-directory", "-C", env!("CARGO_MANIFEST_DIR"), "install", &format!("BINARY={PDSNO}")]);
    run(make.args(settings))
}

/// The files below a folder by their names in it, with their modes.
fn modes(root: &Path) -> Tested<BTreeMap<String, u32>> {
    let files = listing(root)?.into_iter().filter(|(_, content)| content.is_some());
    let named = files.map(|(path, _)| {
        let name = path.strip_prefix(root)?.to_str().ok_or("no text")?.to_owned();
        Ok((name, fs::metadata(&path)?.permissions().mode() & 0o7777))
    });
    named.collect()
}

#[test]
fn everything_is_put_in_place_below_a_root_to_pack_from() -> Tested {
    let root = TempDir::new()?;
    let destination = format!("DESTDIR={}", root.path().display());
    install(&[&destination, "PREFIX=/usr"])?.printed()?;
    let mut there = modes(root.path())?;
    let pages: Vec<_> = there.keys().filter(|name| name.starts_with("usr/share/man/man1/")).cloned().collect();
    for verb in ["", "-scan", "-nib-check", "-support-bundle", "-man"] {
        assert!(pages.contains(&format!("usr/share/man/man1/pdsno{verb}.1")), "{verb} in {pages:?}");
    }
    assert!(pages.iter().all(|page| there.remove(page) == Some(0o644)));
    // They are what this program prints, of the arguments that it takes.
    let written = TempDir::new()?;
    run(pdsno(&["man"]).arg(written.path()))?.printed()?;
    assert_eq!(pages.len(), listing(written.path())?.len());
    for page in &pages {
        let name = page.rsplit('/').next().unwrap_or_default();
        let [installed, told] = [root.path().join(page), written.path().join(name)].map(fs::read_to_string);
        assert_eq!(installed?, told?, "{name}");
    }
    for (shell, script) in [
        ("bash", "bash-completion/completions/pdsno"),
        ("zsh", "zsh/site-functions/_pdsno"),
        ("fish", "fish/vendor_completions.d/pdsno.fish"),
    ] {
        let installed = fs::read_to_string(root.path().join("usr/share").join(script))?;
        assert_eq!(installed, run(&mut pdsno(&["completions", shell]))?.printed()?);
        for page in &pages {
            // pdsno-nib-check.1: each word of a verb is completed.
            let verb = page.rsplit('/').next().unwrap_or_default().trim_end_matches(".1");
            let missing = verb.split('-').find(|word| !installed.contains(word));
            assert_eq!(missing, None, "{verb} for {shell}");
        }
    }
    let expected = [
        ("etc/pdsno/pdsno.yaml", 0o644),
        ("usr/bin/pdsno", 0o755),
        ("usr/lib/systemd/system/pdsno.service", 0o644),
        ("usr/share/bash-completion/completions/pdsno", 0o644),
        ("usr/share/doc/pdsno/pdsno.yaml", 0o644),
        ("usr/share/doc/pdsno/policy_default.yaml", 0o644),
        ("usr/share/fish/vendor_completions.d/pdsno.fish", 0o644),
        ("usr/share/zsh/site-functions/_pdsno", 0o644),
    ];
    assert_eq!(there, expected.map(|(name, mode)| (name.to_owned(), mode)).into());
    let configuration = root.path().join("etc/pdsno/pdsno.yaml");
    run(pdsno(&["config", "check"]).arg(&configuration))?.printed()?;
    // What an operator wrote stays.
    fs::write(&configuration, "controller:\n  subnets: [10.0.1.0/24]\n")?;
    install(&[&destination, "PREFIX=/usr"])?.printed()?;
    assert_eq!(fs::read_to_string(&configuration)?, "controller:\n  subnets: [10.0.1.0/24]\n");
    Ok(())
}

#[test]
fn the_unit_is_one_that_the_manager_understands_and_exposes_little() -> Tested {
    let root = TempDir::new()?;
    let below = |name: &str| format!("{name}={}", root.path().join(name.to_lowercase()).display());
    install(&[&below("PREFIX"), &below("SYSCONFDIR"), &below("UNITDIR")])?.printed()?;
    let unit = root.path().join("unitdir/pdsno.service");
    let text = fs::read_to_string(&unit)?;
    let program = root.path().join("prefix/bin/pdsno");
    assert!(text.contains(&format!("\nExecStart={} --role local", program.display())), "{text}");
    let analyze = |arguments: &[&str]| run(Command::new("systemd-analyze").args(arguments).arg(&unit));
    // Pages of the manual are where the machine's own are, not here.
    let verified = analyze(&["verify", "--man=no"])?;
    assert_eq!((verified.code(), verified.out.as_str(), verified.err.as_str()), (Some(0), "", ""));
    let secure = analyze(&["security", "--offline=true", "--no-pager", &format!("--threshold={MOST_EXPOSED}")])?;
    assert_eq!(secure.code(), Some(0), "{}{}", secure.out, secure.err);
    // A unit that allows more is found out.
    fs::write(&unit, text.replace("CapabilityBoundingSet=CAP_NET_RAW", "CapabilityBoundingSet=~"))?;
    let open = analyze(&["security", "--offline=true", "--no-pager", &format!("--threshold={MOST_EXPOSED}")])?;
    assert_eq!(open.code(), Some(1), "{}", open.out);
    Ok(())
}

#[test]
fn every_page_of_the_manual_is_set_without_a_warning() -> Tested {
    let folder = TempDir::new()?;
    run(pdsno(&["man"]).arg(folder.path()))?.printed()?;
    let mut pages = 0;
    for page in listing(folder.path())?.into_keys() {
        let set = run(Command::new("man").args(["--warnings", "-E", "UTF-8", "-l", "-Z"]).arg(&page))?;
        assert_eq!((set.code(), set.err.as_str()), (Some(0), ""), "{}", page.display());
        assert!(set.out.contains("x stop"), "{} is empty", page.display());
        // What does something shows how; the others name what does.
        let text = fs::read_to_string(&page)?;
        assert!(text.contains(".SH EXAMPLES") || text.contains(".SH SUBCOMMANDS"), "{}", page.display());
        pages += 1;
    }
    assert!(pages > 30, "a page for each verb, not {pages}");
    // The one that is printed is the one that is written.
    let printed = run(&mut pdsno(&["man"]))?.printed()?;
    assert_eq!(printed, fs::read_to_string(folder.path().join("pdsno.1"))?);
    let refused = run(pdsno(&["man"]).arg(folder.path().join("nowhere")))?;
    assert!(refused.code() == Some(2) && refused.err.contains("nowhere"), "{refused:?}");
    Ok(())
}

#[test]
fn examples_keep_their_lines_in_the_manual() -> Tested {
    let folder = TempDir::new()?;
    let page = folder.path().join("pdsno-scan.1");
    run(pdsno(&["man"]).arg(folder.path()))?.printed()?;
    let shown = run(Command::new("man").env("MANWIDTH", "100").args(["-E", "UTF-8", "-l"]).arg(&page))?.printed()?;
    let lines: Vec<&str> = shown.lines().map(str::trim).collect();
    assert!(lines.contains(&"pdsno scan 10.0.1.0/24"), "{shown}");
    assert!(lines.iter().any(|line| line.starts_with("pdsno scan --plan 10.0.0.0/16")), "{shown}");
    Ok(())
}
