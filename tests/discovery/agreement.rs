//! What a plan says is what a scan then does, by each way and whatever stands in it.

use std::process::Command;

use serde_json::{Value, json};

use crate::lab::LabPlan;
use crate::program::{Ran, Tested, run};
use crate::routed::{GATEWAY, ROUTED, allow_pings, routed_site, unprivileged};
use crate::site::{SUBNET, Site};

/// The packets that have left the scanner's interface.
pub fn sent(site: &Site) -> Tested<u64> {
    let text = run(site.lab.command("cat").arg("/sys/class/net/lab0/statistics/tx_packets"))?.printed()?;
    Ok(text.trim().parse()?)
}

fn ip(site: &Site, arguments: &str) -> Tested {
    run(site.lab.command("ip").args(arguments.split(' ')))?.printed().map(drop)
}

fn number(value: &Value) -> Tested<f64> {
    value.as_f64().ok_or_else(|| format!("{value} is no number").into())
}

/// Whether the program has CAP_NET_RAW.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum May {
    SendFrames,
    NotSendFrames,
}
use May::{NotSendFrames, SendFrames};

/// Plans a scan, which sends nothing, then scans, and holds what was said against what was done. Returns the plan and
/// how the scan ended.
fn agreed(site: &Site, may: May, arguments: &[&str]) -> Tested<(Value, Ran)> {
    let program = |more: &[&str]| -> Command {
        let all = [&["scan", "--format", "json"], more, arguments].concat();
        if may == SendFrames { site.program(&all) } else { unprivileged(site, &all) }
    };
    let before = sent(site)?;
    let planned = run(&mut program(&["--plan"]))?;
    assert_eq!(sent(site)?, before, "a plan sends nothing: {planned:?}");
    let plan: Value = serde_json::from_str(&planned.out)?;
    let scanned = run(&mut program(&[]))?;
    let left = sent(site)? - before;
    let told = format!("{may:?} {arguments:?}: {plan:#}\n{scanned:?}");

    // It is refused, or fails because nobody can be asked, or does it.
    let code = match (plan["would_begin"] == true, planned.code()) {
        (false, _) => 2,
        (true, Some(1)) => 1,
        (true, _) => 0,
    };
    assert_eq!(scanned.code(), Some(code), "{told}");
    assert_eq!(plan["warnings"].as_array().is_some_and(|all| all.iter().any(|one| one["refuses"] == true)), code == 2);
    let total = &plan["total"];
    if code != 0 {
        assert_eq!(left, 0, "{told}");
        if code == 1 {
            assert_eq!(total["packets_at_most"], 0, "{told}");
        }
        return Ok((plan, scanned));
    }

    let scan: Value = serde_json::from_str(&scanned.out)?;
    let ways = plan["ways"].as_array().ok_or("no ways")?;
    let count = |key: &str| -> u64 {
        let subnets = ways.iter().filter_map(|way| way["subnets"].as_array()).flatten();
        subnets.filter_map(|subnet| subnet[key].as_u64()).sum()
    };
    assert_eq!(scan["targets"], count("addresses") + count("without_route"), "{told}");
    let lanes: Vec<&Value> = [&scan["address_resolution"]]
        .into_iter()
        .chain(scan["protocols"].as_object().ok_or("no protocols")?.values())
        .filter(|lane| !lane.is_null())
        .collect();
    let packets: u64 = lanes.iter().filter_map(|lane| lane["sent"].as_u64()).sum();
    assert!(packets >= total["packets_at_least"].as_u64().ok_or("none")?, "{packets} packets are too few, {told}");
    assert!(packets <= total["packets_at_most"].as_u64().ok_or("none")?, "{packets} packets are too many, {told}");
    for (protocol, stats) in scan["protocols"].as_object().ok_or("no protocols")? {
        let most = number(&total["slowest"][protocol]["packets"])?;
        assert!(number(&stats["sent"])? <= most, "{protocol}, {told}");
    }
    // From the first packet to the last wait; the cycle's own duration has its writing, too.
    let took = lanes.iter().map(|lane| number(&lane["duration_ms"])).collect::<Tested<Vec<_>>>()?;
    let took = took.into_iter().fold(0.0, f64::max);
    assert!(took >= number(&total["duration_ms_at_least"])?, "{took} ms are too few, {told}");
    assert!(took <= number(&total["duration_ms_at_most"])?, "{took} ms are too many, {told}");

    let by_frames = ways.iter().any(|way| way["way"] == "frames");
    let through_kernel = ways.iter().any(|way| way["way"] == "kernel");
    if !through_kernel {
        assert_eq!(left, packets, "the report tells what left, {told}");
    } else if may == SendFrames {
        assert!(left >= packets, "the kernel has its own ARP, {told}");
    } else {
        assert!(left > 0, "pings to nobody on link do not leave, only the kernel's ARP for them, {told}");
    }
    let asked_by_arp = scan["protocols"]["arp"]["sent"].as_u64().unwrap_or(0);
    assert_eq!(asked_by_arp > 0, by_frames, "{told}");
    assert_eq!(number(&total["slowest"]["arp"]["packets"])? > 0.0, by_frames, "{told}");
    Ok((plan, scanned))
}

/// The ways with the places where packets leave, in short.
fn ways(plan: &Value) -> Vec<String> {
    let ways = plan["ways"].as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let hop = |hop: &Value| format!("{} via {}", text(&hop["interface"]), text(&hop["gateway"]));
    ways.map(|way| {
        let subnets = way["subnets"].as_array().into_iter().flatten();
        let hops = subnets.filter_map(|subnet| subnet["hops"].as_array()).flatten().map(hop);
        format!("{}: {}", text(&way["way"]), hops.collect::<Vec<_>>().join(", "))
    })
    .collect()
}

fn kinds(plan: &Value) -> Vec<&str> {
    plan["warnings"].as_array().into_iter().flatten().filter_map(|one| one["kind"].as_str()).collect()
}

#[test]
fn what_a_scan_sends_lies_between_the_bounds_of_its_plan() -> Tested {
    let site =
        Site::of(&LabPlan { hosts: 12, snmp: 6, silent: 2, routed: Some((ROUTED.parse()?, 4)), ..LabPlan::default() })?;
    for arguments in [&[SUBNET][..], &["10.0.1.0/26", "--probe-rate", "300", "--protocols", "arp,icmp"]] {
        assert_eq!(ways(&agreed(&site, SendFrames, arguments)?.0), ["frames: lab0 via -"]);
    }
    let behind = format!("kernel: lab0 via {GATEWAY}");
    for arguments in [&[ROUTED][..], &[ROUTED, "--probe-rate", "50", "--protocols", "icmp,arp"]] {
        let (plan, _) = agreed(&site, SendFrames, arguments)?;
        assert_eq!((ways(&plan), kinds(&plan)), (vec![behind.clone()], Vec::new()));
    }
    let (plan, _) = agreed(&site, SendFrames, &[SUBNET, ROUTED])?;
    assert_eq!(ways(&plan), ["frames: lab0 via -", &behind]);

    // Without frames both go by the kernel, and one that is on link loses something.
    allow_pings(&site, "0 0")?;
    let (plan, _) = agreed(&site, NotSendFrames, &[SUBNET, ROUTED])?;
    assert_eq!(
        (ways(&plan), kinds(&plan)),
        (vec![format!("kernel: lab0 via {GATEWAY}, lab0 via -")], vec!["no_frames"])
    );
    let (plan, _) = agreed(&site, NotSendFrames, &[ROUTED])?;
    assert_eq!((ways(&plan), kinds(&plan)), (vec![behind], Vec::new()));
    Ok(())
}

#[test]
fn the_neighbour_table_holds_up_a_scan_without_frames_as_its_plan_says() -> Tested {
    let site =
        Site::of(&LabPlan { hosts: 2, snmp: 0, silent: 0, subnet: "10.8.0.0/22".parse()?, ..LabPlan::default() })?;
    allow_pings(&site, "0 0")?;
    let (plan, _) = agreed(&site, NotSendFrames, &["10.8.0.0/22", "--protocols", "icmp", "--timeout", "100"])?;
    // 512 at once, half of what the table holds by default, and the others five seconds later.
    assert_eq!(plan["total"]["duration_ms_at_least"], 5_000.0, "{plan:#}");
    Ok(())
}

#[test]
fn where_nothing_may_be_sent_a_scan_is_refused_with_the_words_of_its_plan() -> Tested {
    let site = routed_site()?;
    allow_pings(&site, "1 0")?;
    for subnet in [SUBNET, ROUTED] {
        let (plan, scanned) = agreed(&site, NotSendFrames, &[subnet])?;
        assert_eq!(kinds(&plan), ["no_permission"]);
        assert!(plan["warnings"][0]["text"].as_str().is_some_and(|text| text.contains("ping_group_range")), "{plan:#}");
        assert!(scanned.err.contains("ping_group_range"), "{scanned:?}");
    }
    Ok(())
}

#[test]
fn a_route_that_is_not_there_or_is_the_default_is_told() -> Tested {
    let site = routed_site()?;
    // A part without a route costs nothing, and a scan begins.
    ip(&site, "route add unreachable 10.2.0.4/31")?;
    let (plan, _) = agreed(&site, SendFrames, &[ROUTED])?;
    assert_eq!((kinds(&plan), &plan["ways"][0]["addresses"]), (vec!["part_without_route"], &json!(12)));

    ip(&site, &format!("route del {ROUTED}"))?;
    let (plan, scanned) = agreed(&site, SendFrames, &[ROUTED])?;
    assert_eq!((kinds(&plan), ways(&plan)), (vec!["no_route"], Vec::new()));
    assert!(scanned.err.contains(plan["warnings"][0]["text"].as_str().ok_or("no text")?), "{scanned:?}");

    ip(&site, &format!("route add default via {GATEWAY}"))?;
    let (plan, _) = agreed(&site, SendFrames, &[ROUTED])?;
    assert_eq!(ways(&plan), [format!("kernel: lab0 via {GATEWAY}")]);
    // What is public is worked out, and not begun with; nothing leaves.
    let (plan, _) = agreed(&site, SendFrames, &["8.8.8.0/28"])?;
    assert_eq!((kinds(&plan), ways(&plan)), (vec!["public_range"], vec![format!("kernel: lab0 via {GATEWAY}")]));

    ip(&site, "address flush dev lab0")?;
    ip(&site, "route add 10.2.0.0/28 dev lab0")?;
    let (plan, scanned) = agreed(&site, SendFrames, &[ROUTED])?;
    assert_eq!((kinds(&plan), plan["would_begin"] == true), (vec!["no_source_address"], false));
    assert!(scanned.err.contains("no address of this host"), "{scanned:?}");
    Ok(())
}

#[test]
fn an_interface_that_is_down_is_told_before_a_scan_fails_for_it() -> Tested {
    let site = routed_site()?;
    allow_pings(&site, "0 0")?;
    ip(&site, "link set lab0 down")?;
    let (plan, scanned) = agreed(&site, SendFrames, &[SUBNET])?;
    assert_eq!((kinds(&plan), ways(&plan)), (vec!["link_down"], vec!["frames: lab0 via -".to_owned()]));
    assert!(scanned.err.contains("lab0 is down"), "{scanned:?}");
    // The kernel has no route by an interface that is down.
    let (plan, _) = agreed(&site, NotSendFrames, &[SUBNET])?;
    assert_eq!(
        (kinds(&plan), ways(&plan)),
        (vec!["link_down", "no_frames", "part_without_route"], vec!["kernel: ".to_owned()])
    );
    let (plan, _) = agreed(&site, SendFrames, &[ROUTED])?;
    assert_eq!(kinds(&plan), ["no_route"]);
    Ok(())
}
