//! A hierarchy that is started again.

use rustix::process::Signal;

use crate::program::Tested;
use crate::site::{HOSTS, LOCAL, REGIONAL, Site, TIERS};

/// How often each type of event is there at a tier.
fn count(site: &Site, tier: &str, event_type: &str) -> Tested<usize> {
    Ok(site.events(tier, event_type)?.len())
}

#[test]
fn who_has_a_name_keeps_it_and_asks_nobody_for_a_token() -> Tested {
    let site = Site::new()?;
    for start in 1..=3 {
        let mut daemon = site.start()?;
        daemon.await_cycle()?;
        site.await_devices("global", HOSTS)?;
        if start < 3 {
            daemon.kill()?;
        } else {
            daemon.signal(Signal::TERM)?;
            assert_eq!(daemon.end()?.0.code(), Some(0));
        }
        for tier in TIERS {
            assert_eq!(count(&site, tier, "CONTROLLER_STARTED")?, start, "{tier}");
            assert_eq!(count(&site, tier, "MEMBERSHIP_GRANTED")?, 1, "{tier}");
            assert_eq!(count(&site, tier, "DEVICE_DISCOVERED")?, HOSTS, "{tier}");
        }
        for parent in ["global", "regional"] {
            assert_eq!(count(&site, parent, "BOOTSTRAP_TOKEN_ISSUED")?, 1, "{parent}");
        }
    }
    for tier in TIERS {
        assert_eq!(site.verb(&["audit", "verify", "--as", tier])?.code(), Some(0), "{tier}");
    }
    Ok(())
}

/// The parent let it in and it does not know: what it missed it is told again, and nobody gets two names.
#[test]
fn a_kill_in_the_middle_of_joining_leaves_nothing_that_the_next_start_does_not_mend() -> Tested {
    let site = Site::new()?;
    for message in
        ["controller started", "a controller was validated", "controller started", "a controller was validated"]
    {
        let mut daemon = site.begin(&["--listen", "none"])?;
        // Where all are members already, there is nothing left to interrupt.
        daemon.await_line(message, |line| line["message"] == message || line["message"] == "discovery cycle ended")?;
        daemon.kill()?;
    }
    let mut daemon = site.start()?;
    daemon.await_cycle()?;
    site.await_devices("global", HOSTS)?;
    for (parent, child) in [("global", REGIONAL), ("regional", LOCAL)] {
        let below = site.json(&["controllers", "list", "--as", parent])?;
        let names: Vec<_> = below["controllers"].as_array().ok_or("no list")?.iter().map(|one| &one["id"]).collect();
        assert_eq!(names, [child]);
    }
    Ok(())
}
