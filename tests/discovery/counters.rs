//! What Net-SNMP's agent tells of its interfaces' counters, from cycle to cycle.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::program::{Tested, pdsno, run};
use crate::site::{SUBNET, Site};

/// One cycle that asks for counters; what is known afterwards of the interface eth0 of the first host.
fn count(site: &Site) -> Tested<Value> {
    let mut scan = site.program(&["scan", "--save", SUBNET, "--timeout", "150", "--data-dir"]);
    run(scan.arg(site.data()).env("PDSNO_POLICY__DISCOVERY_COUNTERS", "true"))?;
    traffic(&site.device("10.0.1.1")?)
}

fn traffic(device: &Value) -> Tested<Value> {
    let interfaces = device["snmp"]["interfaces"].as_array().ok_or("no interfaces")?;
    let port = interfaces.iter().find(|interface| interface["name"] == "eth0").ok_or("no eth0")?;
    Ok(port["traffic"].clone())
}

/// Octets received between the last two cycles, if it is known.
fn received(traffic: &Value) -> Option<f64> {
    Some(traffic["in_bits_per_second"].as_f64()? * traffic["seconds"].as_f64()? / 8.0)
}

#[test]
fn what_was_sent_between_cycles_is_told_and_a_restart_tells_nothing() -> Tested {
    const PINGS: u32 = 300;
    // 1,000 octets in an echo request, with the headings of ICMP, IPv4 and Ethernet.
    const SENT: f64 = PINGS as f64 * (1_000 + 8 + 20 + 14) as f64;
    let site = Site::new(1, 1, 0)?;
    let first = count(&site)?;
    assert_eq!(
        (&first["reason"], &first["since"], &first["counter_bits"]),
        (&json!("first_reading"), &json!(null), &json!(64))
    );
    assert_eq!(first["in_bits_per_second"], json!(null));
    let pings = PINGS.to_string();
    run(site.lab.command("ping").args(["-q", "-f", "-c", &pings, "-s", "1000", "10.0.1.1"]))?;
    // The agent looks at its interfaces each few seconds, so one of the next cycles tells.
    let (mut told, mut before, deadline) = (0.0, first, Instant::now() + Duration::from_secs(30));
    while told < SENT {
        assert!(Instant::now() < deadline, "{told} octets were told of {SENT}: {before}");
        let now = count(&site)?;
        assert_eq!((&now["reason"], &now["since"]), (&json!(null), &before["read_at"]), "{now}");
        assert_eq!((&now["in_errors"], &now["out_errors"]), (&json!(0), &json!(0)), "{now}");
        told += received(&now).ok_or("no rate")?;
        before = now;
    }
    // The cycles themselves are traffic, too: some hundred octets a question.
    assert!(told < SENT + 200_000.0, "{told} octets were told of {SENT}");
    let sheet = run(pdsno(&["device", "10.0.1.1", "--data-dir"]).arg(site.data()))?.out;
    let line = sheet.lines().find(|line| line.starts_with("traffic 2 ")).ok_or("no traffic in the table")?;
    assert!(
        line.contains("bit/s, out ") && line.contains("; errors in 0, out 0; ") && line.contains(", read 2"),
        "{line}"
    );
    assert_eq!(site.events("AGENT_RESTARTED")?, [Value::Null; 0]);

    site.lab.verb(&["snmp-stop", "h1"])?;
    site.lab.verb(&["snmp-start", "h1"])?;
    let restarted = count(&site)?;
    assert_eq!((&restarted["reason"], &restarted["in_bits_per_second"]), (&json!("agent_restarted"), &json!(null)));
    assert_eq!(restarted["since"], before["read_at"]);
    assert_eq!(site.events("AGENT_RESTARTED")?.len(), 1);
    assert_eq!(count(&site)?["reason"], json!(null), "from there on it is known again");

    // What is read always is neither told nor a fact.
    let device = site.device("10.0.1.1")?;
    assert!(!device["facts"].to_string().contains("counter"), "{device}");
    assert_eq!(site.events("DEVICE_UPDATED")?, [Value::Null; 0]);
    assert!(run(pdsno(&["nib", "check", "--data-dir"]).arg(site.data()))?.out.contains("sound"));
    Ok(())
}

#[test]
fn nobody_is_asked_for_counters_unless_policy_says_so() -> Tested {
    let site = Site::new(1, 1, 0)?;
    let asked = |scan: &Value| scan["protocols"]["snmp"]["sent"].as_u64();
    let without = site.scan()?;
    assert!(traffic(&site.device("10.0.1.1")?)?.is_null());
    let mut scan = site.program(&["scan", "--save", "--format", "json", SUBNET, "--data-dir"]);
    let with = run(scan.arg(site.data()).env("PDSNO_POLICY__DISCOVERY_COUNTERS", "true"))?.json()?;
    assert_eq!((asked(&without), asked(&with)), (Some(2), Some(3)), "two interfaces are one question for each table");
    Ok(())
}

/// What an agent says of eth0 instead of what its kernel says, by the last numbers of columns of the MIB.
const WIDE: [(&str, &str); 1] = [("31.1.1.1.6", "counter64")];
const NARROW: [(&str, &str); 2] = [("2.2.1.10", "counter"), ("2.2.1.5", "gauge")];

/// Has the agent of the first host say so. Those that are asked for narrow counters show no wide ones.
fn say(site: &Site, columns: &[(&str, &str)], values: &[u64]) -> Tested {
    let mut script = String::from("cd /run/pdsno-lab/hosts/h1\n");
    for ((column, _), value) in columns.iter().zip(values) {
        script.push_str(&format!("echo {value} >said.{column}\n"));
    }
    script.push_str(
        r#"[ ! -e said.sh ] || exit 0
        cat >said.sh <<'SAID'
case "$3 $4" in
    "-g $1.1" | "-n $1") row=1 value=0 ;;
    "-g $1.2" | "-n $1.1") row=2 value=$(cat /run/pdsno-lab/hosts/h1/said.${1#.1.3.6.1.2.1.}) ;;
    *) exit 0 ;;
esac
printf '%s\n%s\n%s\n' "$1.$row" "$2" "$value"
SAID
        echo pass >modules
        sed -i /^rocommunity/d agent.conf
        printf 'view told included .1\nrocommunity public default -V told\n' >>agent.conf
        "#,
    );
    for (column, kind) in columns {
        let object = format!(".1.3.6.1.2.1.{column}");
        script.push_str(&format!("echo pass {object} /bin/sh $PWD/said.sh {object} {kind} >>agent.conf\n"));
    }
    if columns == NARROW {
        script.push_str("echo view told excluded .1.3.6.1.2.1.31 >>agent.conf\n");
    }
    script.push_str("echo new");
    if site.lab.verb(&["exec", "h1", "sh", "-ec", &script])?.contains("new") {
        site.lab.verb(&["snmp-stop", "h1"])?;
        site.lab.verb(&["snmp-start", "h1"])?;
    }
    Ok(())
}

#[test]
fn a_counter_of_64_bits_wraps_and_what_was_set_back_is_no_traffic() -> Tested {
    let site = Site::new(1, 1, 0)?;
    say(&site, &WIDE, &[u64::MAX - 999])?;
    assert_eq!(count(&site)?["reason"], "first_reading");
    say(&site, &WIDE, &[4_000])?;
    let wrapped = count(&site)?;
    assert_eq!((&wrapped["reason"], &wrapped["counter_bits"]), (&json!(null), &json!(64)), "{wrapped}");
    assert_eq!(received(&wrapped).map(near), Some(5_000.0), "{wrapped}");
    say(&site, &WIDE, &[3_000])?;
    let set_back = count(&site)?;
    assert_eq!((&set_back["reason"], &set_back["in_bits_per_second"]), (&json!("implausible"), &json!(null)));
    assert!(set_back["out_bits_per_second"].is_u64(), "the other direction is known: {set_back}");
    Ok(())
}

#[test]
fn a_counter_of_32_bits_wraps_unless_it_may_have_done_so_twice() -> Tested {
    const ETHERNET: u64 = 10_000_000;
    let site = Site::new(1, 1, 0)?;
    say(&site, &NARROW, &[(1 << 32) - 1_000, ETHERNET])?;
    let first = count(&site)?;
    assert_eq!((&first["reason"], &first["counter_bits"]), (&json!("first_reading"), &json!(32)));
    say(&site, &NARROW, &[4_000, ETHERNET])?;
    let wrapped = count(&site)?;
    assert_eq!(wrapped["reason"], json!(null), "{wrapped}");
    assert_eq!(received(&wrapped).map(near), Some(5_000.0), "{wrapped}");
    // At 4 Gbit/s it takes nine seconds, and an agent may be some behind.
    say(&site, &NARROW, &[9_000, 4_000_000_000])?;
    let ambiguous = count(&site)?;
    assert_eq!((&ambiguous["reason"], &ambiguous["in_bits_per_second"]), (&json!("ambiguous"), &json!(null)));
    assert_eq!((&ambiguous["in_errors"], &ambiguous["in_discards"]), (&json!(0), &json!(0)), "packets are counted");
    say(&site, &NARROW, &[9_500, u64::from(u32::MAX)])?;
    assert_eq!(count(&site)?["reason"], "speed_unknown", "as much as a gauge can tell, or more");
    Ok(())
}

/// To the ten octets that a rate in whole bits a second leaves open.
fn near(octets: f64) -> f64 {
    (octets / 10.0).round() * 10.0
}
