use proptest::prelude::*;

use super::*;

/// `sysObjectID` below `enterprises`, `sysDescr`, `sysServices`; the vendor, type, software and the
/// source of the type that must follow.
type Case = (&'static str, &'static str, u32, Option<&'static str>, DeviceType, Option<&'static str>, &'static str);

const CASES: &[Case] = &[
    (
        "9.1.1041",
        "Cisco IOS Software, C2900 Software (C2900-UNIVERSALK9-M), Version 15.2(4)M6, RELEASE SOFTWARE (fc2)\r\nTechnical Support: http://www.cisco.com/techsupport\r\nCopyright (c) 1986-2014 by Cisco Systems, Inc.",
        78,
        Some("Cisco"),
        Router,
        Some("IOS 15.2(4)M6"),
        "sysDescr",
    ),
    (
        "9.1.716",
        "Cisco IOS Software, C2960 Software (C2960-LANBASEK9-M), Version 12.2(55)SE8, RELEASE SOFTWARE (fc2)",
        6,
        Some("Cisco"),
        Switch,
        Some("IOS 12.2(55)SE8"),
        "sysDescr",
    ),
    (
        "9.1.2494",
        "Cisco IOS Software [Gibraltar], Catalyst L3 Switch Software (CAT9K_IOSXE), Version 16.12.4, RELEASE SOFTWARE (fc5)",
        78,
        Some("Cisco"),
        Switch,
        Some("IOS 16.12.4"),
        "sysDescr",
    ),
    (
        "9.1.186",
        "Cisco Internetwork Operating System Software \r\nIOS (tm) 2500 Software (C2500-I-L), Version 12.0(7)T,  RELEASE SOFTWARE (fc2)",
        78,
        Some("Cisco"),
        Router,
        Some("IOS 12.0(7)T"),
        "sysServices",
    ),
    (
        "9.12.3.1.3.1084",
        "Cisco NX-OS(tm) n5000, Software (n5000-uk9), Version 7.3(2)N1(1), RELEASE SOFTWARE Copyright (c) 2002-2012",
        70,
        Some("Cisco"),
        Switch,
        Some("NX-OS 7.3(2)N1(1)"),
        "sysObjectID",
    ),
    (
        "9.1.1639",
        "Cisco IOS XR Software (Cisco ASR9K Series),  Version 6.1.4[Default]\r\nCopyright (c) 2017 by Cisco Systems, Inc.",
        78,
        Some("Cisco"),
        Router,
        Some("IOS XR 6.1.4"),
        "sysDescr",
    ),
    (
        "9.1.2313",
        "Cisco Adaptive Security Appliance Version 9.8(2)20",
        4,
        Some("Cisco"),
        Router,
        Some("ASA 9.8(2)20"),
        "sysDescr",
    ),
    ("9.6.1.83.28.5", "SG300-28 28-Port Gigabit Managed Switch", 2, Some("Cisco"), Switch, None, "sysDescr"),
    (
        "11.2.3.7.11.46",
        "ProCurve J4900B Switch 2626, revision H.10.83, ROM H.08.02 (/sw/code/build/fish(mkfs))",
        74,
        Some("HP"),
        Switch,
        None,
        "sysObjectID",
    ),
    (
        "11.2.3.7.11.181",
        "Aruba JL258A 2930F-8G-PoE+-2SFP+ Switch, revision WC.16.10.0009, ROM WC.16.01.0006",
        74,
        Some("HP"),
        Switch,
        None,
        "sysObjectID",
    ),
    ("47196.4.1.1.1.50", "Aruba JL658A FL.10.10.1020", 78, Some("Aruba"), Switch, None, "sysObjectID"),
    (
        "11.2.3.9.1",
        "HP ETHERNET MULTI-ENVIRONMENT,ROM none,JETDIRECT,JD153,EEPROM JSI24180011,CIDATE 04/05/2018",
        64,
        Some("HP"),
        Printer,
        None,
        "sysObjectID",
    ),
    (
        "2636.1.1.1.2.31",
        "Juniper Networks, Inc. ex4200-48t Ethernet Switch, kernel JUNOS 12.3R12-S10, Build date: 2018-07-11 05:43:40 UTC",
        4,
        Some("Juniper"),
        Switch,
        Some("JUNOS 12.3R12-S10"),
        "sysDescr",
    ),
    (
        "2636.1.1.1.2.25",
        "Juniper Networks, Inc. mx480 internet router, kernel JUNOS 17.3R3-S4.2, Build date: 2019-03-21 20:33:37 UTC",
        4,
        Some("Juniper"),
        Router,
        Some("JUNOS 17.3R3-S4.2"),
        "sysDescr",
    ),
    ("14988.1", "RouterOS CCR1009-7G-1C-1S+", 78, Some("MikroTik"), Router, None, "sysDescr"),
    ("14988.1", "RouterOS CRS326-24G-2S+", 78, Some("MikroTik"), Switch, None, "sysDescr"),
    ("14988.1", "RouterOS 6.49.6 (stable) on hEX", 78, Some("MikroTik"), Router, Some("RouterOS 6.49.6"), "sysDescr"),
    (
        "30065.1.3011.7050.1958.128",
        "Arista Networks EOS version 4.20.5F running on an Arista Networks DCS-7050SX-128",
        14,
        Some("Arista"),
        Switch,
        Some("EOS 4.20.5F"),
        "sysDescr",
    ),
    (
        "12356.101.1.641",
        "FortiGate-60E v6.0.4,build0231,190107 (GA)",
        78,
        Some("Fortinet"),
        Router,
        Some("FortiOS 6.0.4"),
        "sysObjectID",
    ),
    ("12356.101.1.10003", "edge firewall of the branch", 78, Some("Fortinet"), Router, None, "sysObjectID"),
    (
        "25461.2.3.18",
        "Palo Alto Networks PA-3000 series firewall",
        127,
        Some("Palo Alto Networks"),
        Router,
        None,
        "sysObjectID",
    ),
    (
        "8072.3.2.10",
        "Linux web01 5.10.0-8-amd64 #1 SMP Debian 5.10.46-4 (2021-08-03) x86_64",
        72,
        None,
        Server,
        Some("Linux 5.10.0-8-amd64"),
        "sysDescr",
    ),
    (
        "8072.3.2.10",
        "Linux switch-lab 4.14.221 #0 SMP Mon Feb 15 15:22:37 2021 mips",
        72,
        None,
        Server,
        Some("Linux 4.14.221"),
        "sysServices",
    ),
    (
        "8072.3.2.8",
        "FreeBSD storage.example.org 13.2-RELEASE FreeBSD 13.2-RELEASE GENERIC amd64",
        72,
        None,
        Server,
        Some("FreeBSD 13.2-RELEASE"),
        "sysDescr",
    ),
    (
        "8072.3.2.8",
        "pfSense fw.example.org 2.6.0-RELEASE FreeBSD 12.3-STABLE amd64",
        72,
        None,
        Router,
        None,
        "sysDescr",
    ),
    (
        "311.1.1.3.1.2",
        "Hardware: Intel64 Family 6 Model 85 Stepping 7 AT/AT COMPATIBLE - Software: Windows Version 6.3 (Build 17763 Multiprocessor Free)",
        79,
        None,
        Server,
        None,
        "sysObjectID",
    ),
    (
        "311.1.1.3.1.1",
        "Hardware: Intel64 Family 6 Model 158 Stepping 10 AT/AT COMPATIBLE - Software: Windows Version 6.3 (Build 19041 Multiprocessor Free)",
        76,
        None,
        Endpoint,
        None,
        "sysObjectID",
    ),
    (
        "6876.4.1",
        "VMware ESXi 7.0.3 build-18644231 VMware, Inc. x86_64",
        72,
        None,
        Server,
        Some("ESXi 7.0.3"),
        "sysDescr",
    ),
    (
        "2435.2.3.9.1",
        "Brother NC-8300h, Firmware Ver.1.05  (16.04.25),MID 84E-F04",
        72,
        Some("Brother"),
        Printer,
        None,
        "sysDescr",
    ),
    (
        "641.2.71107520",
        "Lexmark MS610dn version NH60.PR.N634 kernel 3.0.0 All-N-1",
        72,
        Some("Lexmark"),
        Printer,
        None,
        "sysObjectID",
    ),
    (
        "367.1.1",
        "RICOH MP C3004 1.23 / RICOH Network Printer C model / RICOH Network Scanner C model",
        72,
        Some("Ricoh"),
        Printer,
        None,
        "sysObjectID",
    ),
    (
        "318.1.3.27",
        "APC Web/SNMP Management Card (MB:v4.1.0 PF:v6.4.0 PN:apc_hw05_aos_640.bin AF1:v6.4.0 AN1:apc_hw05_sumx_640.bin MN:AP9630 HR:05 SN: ZA1212000000 MD:03/20/2012)",
        72,
        Some("APC"),
        Endpoint,
        None,
        "sysObjectID",
    ),
    ("6574.1", "", 72, Some("Synology"), Server, None, "sysObjectID"),
];

#[test]
fn devices_are_known_by_what_they_say() {
    for (object, descr, services, vendor, device_type, firmware, source) in CASES {
        let object = format!("1.3.6.1.4.1.{object}");
        let clues =
            Clues { mac: None, sys_object_id: Some(&object), sys_descr: Some(descr), sys_services: Some(*services) };
        let conclusion = conclude(&clues, &VendorTable::builtin());
        assert_eq!(conclusion.vendor.as_ref().map(|(name, _)| name.as_str()), *vendor, "{descr}");
        assert_eq!(conclusion.device_type, *device_type, "{descr}");
        assert_eq!(conclusion.firmware.as_deref(), *firmware, "{descr}");
        let evidence = conclusion.type_evidence.unwrap();
        assert_eq!((evidence.from.as_str(), evidence.conclusion.as_str()), (*source, device_type.as_str()), "{descr}");
    }
}

#[test]
fn a_noun_counts_as_a_whole_word_and_after_the_maker() {
    for (object, descr, device_type) in [
        ("1.3.6.1.4.1.318.1.3.32", "Automatic Transfer Switch", Endpoint),
        ("1.3.6.1.4.1.1718.3", "Sentry Switched CDU", Unknown),
        ("1.3.6.1.4.1.171.10.76.28", "D-Link DGS-1210-24 24-port smart switch", Switch),
        ("1.3.6.1.4.1.8072.3.2.10", "Linux printer 4.14.221 #0 SMP mips", Unknown),
    ] {
        let clues = Clues { sys_object_id: Some(object), sys_descr: Some(descr), ..Clues::default() };
        assert_eq!(conclude(&clues, &VendorTable::builtin()).device_type, device_type, "{descr}");
    }
}

#[test]
fn layers_tell_the_type_when_nothing_else_does() {
    for (services, device_type) in [
        (0, Unknown),
        (1, Unknown),   // a repeater
        (2, Switch),    // bridges
        (3, Switch),    // repeats and bridges
        (4, Router),    // routes
        (6, Switch),    // a switch that routes
        (8, Endpoint),  // a host
        (64, Server),   // applications only
        (72, Server),   // a host with applications (RFC 3418's example)
        (76, Server),   // such a host that counts its network layer
        (74, Switch),   // a switch with a management host
        (78, Router),   // bridges, routes and has applications
        (79, Unknown),  // everything
        (127, Unknown), // everything, also layers that there are not
    ] {
        let clues = Clues { sys_services: Some(services), ..Clues::default() };
        let conclusion = conclude(&clues, &VendorTable::builtin());
        assert_eq!(conclusion.device_type, device_type, "{services}");
        assert_eq!(conclusion.type_evidence.is_none(), device_type == Unknown, "{services}");
    }
}

#[test]
fn the_address_tells_the_vendor_and_at_last_the_type() {
    let conclude = |clues| conclude(&clues, &VendorTable::builtin());
    let mac = |text: &str| Some(text.parse().unwrap());

    let alone = conclude(Clues { mac: mac("00:11:32:00:00:01"), ..Clues::default() });
    let (name, evidence) = alone.vendor.unwrap();
    assert_eq!(name, "Synology Incorporated");
    assert_eq!((evidence.from.as_str(), evidence.value.as_str()), ("oui", "00:11:32"));
    assert_eq!(alone.device_type, Server);
    assert_eq!(alone.type_evidence.unwrap().value, "00:11:32 (Synology Incorporated)");

    let with_agent = conclude(Clues {
        mac: mac("00:1b:2f:3c:4d:5e"),
        sys_object_id: Some("1.3.6.1.4.1.8072.3.2.10"),
        ..Clues::default()
    });
    assert_eq!(with_agent.vendor.unwrap().0, "NETGEAR", "a general agent does not name the maker");

    let with_own_agent =
        conclude(Clues { mac: mac("00:1b:2f:3c:4d:5e"), sys_object_id: Some("1.3.6.1.4.1.9.1.1"), ..Clues::default() });
    assert_eq!(with_own_agent.vendor.unwrap().0, "Cisco");

    let random = conclude(Clues { mac: mac("02:00:00:00:00:01"), ..Clues::default() });
    assert_eq!((random.vendor, random.device_type), (None, Unknown));
}

proptest! {
    #[test]
    fn any_words_are_concluded_from(
        octets in prop::option::of(any::<[u8; 6]>()), object in ".*", descr in ".*", services in prop::option::of(any::<u32>()),
    ) {
        let clues = Clues {
            mac: octets.map(MacAddr::new),
            sys_object_id: Some(&object),
            sys_descr: Some(&descr),
            sys_services: services,
        };
        let conclusion = conclude(&clues, &VendorTable::builtin());
        prop_assert_eq!(conclusion.type_evidence.is_none(), conclusion.device_type == Unknown);
    }
}
