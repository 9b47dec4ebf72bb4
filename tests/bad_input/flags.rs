//! Bad flags and arguments.

use crate::program::Tested;
use crate::refusal::{Bench, SUBNET};

#[test]
fn bad_subnets_are_refused_by_scan_and_by_the_daemon() -> Tested {
    let bench = Bench::new()?;
    let subnets: [(&str, &[&str]); 10] = [
        ("10.0.1.0/33", &["10.0.1.0/33", "write an IPv4 address and a prefix length"]),
        ("ten", &["\"ten\"", "for example 10.0.1.0/24"]),
        ("10.0.1.7/24", &["10.0.1.7/24", "host bits", "the subnet is 10.0.1.0/24"]),
        ("fd00::/64", &["fd00::/64", "IPv6", "give an IPv4 subnet"]),
        ("10.0.0.0/7", &["10.0.0.0/7", "larger than a /8", "split it"]),
        ("", &["\"\"", "for example 10.0.1.0/24"]),
        ("127.0.0.0/8", &["127.0.0.0/8", "loopback"]),
        ("224.0.0.0/24", &["224.0.0.0/24", "multicast"]),
        ("8.8.8.0/24", &["8.8.8.0/24", "public Internet", "--allow-public"]),
        ("10.0.0.0/15", &["131070 addresses", "65536", "--allow-large"]),
    ];
    for (subnet, parts) in subnets {
        bench.refuses(&["scan", subnet], parts)?;
        bench.refuses(&["scan", SUBNET, subnet, "--save"], parts)?;
        bench.refuses(&["--role", "local", "--subnets", subnet], parts)?;
    }
    Ok(())
}

#[test]
fn no_subnet_at_all_is_refused() -> Tested {
    let bench = Bench::new()?;
    bench.refuses(&["scan"], &["`pdsno scan`", "for example 10.0.1.0/24"])?;
    bench.refuses(&["--role", "local"], &["subnet", "--subnets", "for example 10.0.1.0/24"])?;
    Ok(())
}

#[test]
fn a_subnet_without_an_interface_and_an_unknown_interface_are_refused() -> Tested {
    let bench = Bench::new()?;
    let has = "lab0 (10.0.1.250/24)";
    bench.refuses(&["scan", "10.9.9.0/24"], &["no route to 10.9.9.0/24", has, "a route"])?;
    bench.refuses(&["scan", "10.0.0.0/16"], &["no route to 10.0.0.0/16", has])?;
    bench.refuses(&["scan", SUBNET, "--interface", "lo"], &[SUBNET, "on lo"])?;
    bench.refuses(&["scan", SUBNET, "--interface", "nope0"], &["\"nope0\"", "lab0"])?;
    bench.refuses(&["scan", SUBNET, "--interface", "a b"], &["\"a b\"", "`ip link`"])?;
    bench.refuses(&["--role", "local", "--subnets", "10.9.9.0/24"], &["no route to 10.9.9.0/24", has])?;
    bench.refuses(&["--role", "local", "--subnets", SUBNET, "--interface", "nope0"], &["\"nope0\""])?;
    Ok(())
}

#[test]
fn unknown_protocols_and_roles_are_refused() -> Tested {
    let bench = Bench::new()?;
    let protocols = &["unknown protocol \"tcp\"", "arp, icmp", "snmp"];
    bench.refuses(&["scan", SUBNET, "--protocols", "arp,tcp"], protocols)?;
    bench.refuses(&["scan", SUBNET, "--protocols", ""], &["--protocols", "arp, icmp", "snmp"])?;
    bench.refuses(&["--role", "local", "--subnets", SUBNET, "--protocols", "tcp"], protocols)?;
    bench.refuses(&["--role", "king", "--subnets", SUBNET], &["\"king\"", "global, regional, local"])?;
    bench.refuses(&["--subnets", SUBNET], &["no role", "--role local"])?;
    bench.refuses(
        &["--role", "regional", "--region", "zone-A", "--parent", "global_cntl_1"],
        &["rest+mqtt", "--role all"],
    )?;
    bench.refuses(&["--role", "all", "--subnets", SUBNET], &["--region"])?;
    bench.refuses(&["--role", "all", "--region", "zone-A"], &["--subnets"])?;
    Ok(())
}

#[test]
fn numbers_out_of_bounds_are_refused_with_the_bounds() -> Tested {
    let bench = Bench::new()?;
    bench.refuses(&["scan", SUBNET, "--probe-rate", "0"], &["--probe-rate", "from 1 to 1000000", "found 0"])?;
    bench.refuses(&["scan", SUBNET, "--probe-rate", "1000001"], &["--probe-rate", "from 1 to 1000000"])?;
    bench.refuses(&["scan", SUBNET, "--probe-rate", "fast"], &["'fast'", "--probe-rate"])?;
    bench.refuses(&["scan", SUBNET, "--timeout", "0"], &["--timeout", "from 100 to 10000", "found 0"])?;
    bench.refuses(&["--role", "local", "--subnets", SUBNET, "--probe-rate", "0"], &["--probe-rate", "from 1 to"])?;
    Ok(())
}

#[test]
fn other_bad_flags_are_refused() -> Tested {
    let bench = Bench::new()?;
    let daemon = ["--role", "local", "--subnets", SUBNET];
    bench.refuses(&[&daemon[..], &["--listen", "8080"]].concat(), &["--listen", "\"8080\"", "127.0.0.1:8080"])?;
    bench.refuses(&[&daemon[..], &["--data-dir", ""]].concat(), &["--data-dir", "empty"])?;
    bench.refuses(&[&daemon[..], &["--log", "loud"]].concat(), &["\"loud\"", "error, warn, info, debug, trace"])?;
    bench.refuses(&["scan", SUBNET, "--log", "pdsno=loud"], &["\"pdsno=loud\""])?;
    bench.refuses(&["scan", SUBNET, "--format", "xml"], &["'xml'", "table, json, csv"])?;
    bench.refuses(&["scan", SUBNET, "--colour"], &["'--colour'"])?;
    Ok(())
}

#[test]
fn a_community_is_not_repeated_by_its_refusal() -> Tested {
    let bench = Bench::new()?;
    let long = "h0nter2".repeat(10);
    for community in ["h0nter2\u{e9}", "h0nter2\n", &long] {
        let ran = bench.refuses(&["scan", SUBNET, "--community", community], &["--community", "SNMP community"])?;
        assert!(!ran.err.contains("h0nter2"), "{ran:?}");
    }
    bench.refuses(&["scan", SUBNET, "--community", ""], &["--community", "must not be empty"])?;
    Ok(())
}
