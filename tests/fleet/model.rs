//! The kinds of devices that a fleet is made of.

/// A kind of device with an SNMP agent.
#[derive(Debug)]
pub struct Model {
    pub name: &'static str,
    /// The first half of its hardware addresses.
    pub oui: [u8; 3],
    pub sys_object_id: &'static [u32],
    pub sys_services: u8,
    pub sys_descr: &'static str,
    /// What the names of its interfaces begin with.
    pub port: &'static str,
    /// The `ifIndex` of its first interface.
    pub first_index: u32,
    /// Its interfaces.
    pub ports: u32,
    /// Whether it speaks Cisco's discovery protocol besides LLDP.
    pub cdp: bool,
}

/// Models by how often they occur: each is as frequent as the others.
pub static MODELS: [Model; 6] = [
    Model {
        name: "cisco-router",
        oui: [0x00, 0x1b, 0x54],
        sys_object_id: &[1, 3, 6, 1, 4, 1, 9, 1, 1045],
        sys_services: 78,
        sys_descr: "Cisco IOS Software, C2900 Software (C2900-UNIVERSALK9-M), Version 15.7(3)M8, RELEASE SOFTWARE (fc1)",
        port: "GigabitEthernet0/",
        first_index: 1,
        ports: 4,
        cdp: true,
    },
    Model {
        name: "cisco-switch",
        oui: [0x00, 0x1e, 0x14],
        sys_object_id: &[1, 3, 6, 1, 4, 1, 9, 1, 1208],
        sys_services: 6,
        sys_descr: "Cisco IOS Software, C2960X Software (C2960X-UNIVERSALK9-M), Version 15.2(7)E4, RELEASE SOFTWARE (fc2)",
        port: "GigabitEthernet1/0/",
        first_index: 10_101,
        ports: 8,
        cdp: true,
    },
    Model {
        name: "hp-switch",
        oui: [0x00, 0x1b, 0x78],
        sys_object_id: &[1, 3, 6, 1, 4, 1, 11, 2, 3, 7, 11, 141],
        sys_services: 74,
        sys_descr: "HP J9776A 2530-24G Switch, revision YA.16.10.0016, ROM YA.15.20",
        port: "",
        first_index: 1,
        ports: 8,
        cdp: false,
    },
    Model {
        name: "juniper-router",
        oui: [0x00, 0x05, 0x85],
        sys_object_id: &[1, 3, 6, 1, 4, 1, 2636, 1, 1, 1, 2, 25],
        sys_services: 4,
        sys_descr: "Juniper Networks, Inc. mx480 internet router, kernel JUNOS 20.4R3.8",
        port: "ge-0/0/",
        first_index: 501,
        ports: 6,
        cdp: false,
    },
    Model {
        name: "linux-server",
        oui: [0x00, 0x25, 0x90],
        sys_object_id: &[1, 3, 6, 1, 4, 1, 8072, 3, 2, 10],
        sys_services: 72,
        sys_descr: "Linux server 6.1.0-28-amd64 #1 SMP PREEMPT_DYNAMIC Debian 6.1.119-1 x86_64",
        port: "eth",
        first_index: 2,
        ports: 2,
        cdp: false,
    },
    Model {
        name: "hp-printer",
        oui: [0x3c, 0xd9, 0x2b],
        sys_object_id: &[1, 3, 6, 1, 4, 1, 11, 2, 3, 9, 1],
        sys_services: 64,
        sys_descr: "HP ETHERNET MULTI-ENVIRONMENT,ROM none,JETDIRECT,JD153,EEPROM JSI24130012",
        port: "NIC",
        first_index: 1,
        ports: 1,
        cdp: false,
    },
];

/// Makers of devices without an agent; the last is a locally administered address, which nobody made.
pub const AGENTLESS_OUIS: [[u8; 3]; 4] =
    [[0x00, 0x50, 0x56], [0x00, 0x14, 0x22], [0xb8, 0x27, 0xeb], [0x02, 0x00, 0x5e]];
