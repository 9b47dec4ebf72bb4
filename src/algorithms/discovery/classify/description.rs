//! What the words of `sysDescr` tell.

use crate::domain::device::DeviceType::{self, Endpoint, Printer, Router, Server, Switch};

/// How a description must begin; it goes on with the host's name, so no other word of it counts. What
/// such a system does depends on the machine: the second column has the processors that tell.
const GENERAL_SYSTEMS: &[(&str, &[&str])] = &[
    ("linux ", &["x86_64", "amd64", "ppc64le", "s390x"]),
    ("freebsd ", &["amd64"]),
    ("openbsd ", &["amd64"]),
    ("netbsd ", &["amd64"]),
    ("sunos ", &[""]),
    ("hp-ux ", &[""]),
    ("aix ", &[""]),
];

/// Names of products and families, of which all on a line must occur, in any place and case; the
/// first line that fits decides.
const PRODUCTS: &[(&[&str], DeviceType)] = &[
    (&["jetdirect"], Printer),
    (&["laserjet"], Printer),
    (&["officejet"], Printer),
    (&["designjet"], Printer),
    (&["brother nc-"], Printer),
    (&["print server"], Printer),
    (&["ip phone"], Endpoint),
    (&["cisco", "nx-os"], Switch),
    (&["cisco", "catalyst"], Switch),
    (&["cisco", "switch software"], Switch),
    (&["cisco", "c2950"], Switch),
    (&["cisco", "c2960"], Switch),
    (&["cisco", "c3550"], Switch),
    (&["cisco", "c3560"], Switch),
    (&["cisco", "c3650"], Switch),
    (&["cisco", "c3750"], Switch),
    (&["cisco", "c3850"], Switch),
    (&["cisco", "ios xr"], Router),
    (&["cisco", "isr software"], Router),
    (&["cisco", "asr1000"], Router),
    (&["cisco", "c1900 software"], Router),
    (&["cisco", "c2900 software"], Router),
    (&["cisco", "c3900 software"], Router),
    (&["cisco", "2800 software"], Router),
    (&["cisco", "7200 software"], Router),
    (&["cisco adaptive security appliance"], Router),
    (&["arista networks eos"], Switch),
    (&["extremexos"], Switch),
    (&["procurve"], Switch),
    (&["powerconnect"], Switch),
    (&["dell networking"], Switch),
    (&["jetstream"], Switch),
    (&["juniper", "ethernet switch"], Switch),
    (&["juniper", "internet router"], Router),
    (&["routeros crs"], Switch),
    (&["routeros css"], Switch),
    (&["routeros"], Router),
    (&["edgeos"], Router),
    (&["vyos"], Router),
    (&["pfsense"], Router),
    (&["opnsense"], Router),
    (&["fortigate"], Router),
    (&["fortiswitch"], Switch),
    (&["vmware esxi"], Server),
    (&["network camera"], Endpoint),
];

/// Nouns of the trade, as whole words: they are also found in the names of places and hosts.
const NOUNS: &[(&str, DeviceType)] =
    &[("switch", Switch), ("firewall", Router), ("router", Router), ("printer", Printer)];

/// The kind of device that names itself as a product known to be of that kind.
pub fn type_by_product(description: &str) -> Option<DeviceType> {
    let text = description.to_ascii_lowercase();
    if let Some((_, processors)) = general_system(&text) {
        return processors.iter().any(|processor| text.contains(processor)).then_some(Server);
    }
    PRODUCTS.iter().find(|(words, _)| words.iter().all(|word| text.contains(word))).map(|(_, kind)| *kind)
}

/// The kind of device that calls itself so in plain words.
pub fn type_by_noun(description: &str) -> Option<DeviceType> {
    let text = description.to_ascii_lowercase();
    if general_system(&text).is_some() {
        return None;
    }
    let has = |noun| text.split(|c: char| !c.is_alphanumeric()).any(|word| word == noun);
    NOUNS.iter().find(|(noun, _)| has(*noun)).map(|(_, kind)| *kind)
}

fn general_system(text: &str) -> Option<&'static (&'static str, &'static [&'static str])> {
    GENERAL_SYSTEMS.iter().find(|(start, _)| text.starts_with(start))
}

/// A family of software: how a description of it begins, what stands before the version, and its name.
const FAMILIES: &[(&str, &str, &str)] = &[
    ("Cisco IOS XR", "Version ", "IOS XR"),
    ("Cisco NX-OS", "Version ", "NX-OS"),
    ("Cisco IOS", "Version ", "IOS"),
    ("Cisco Internetwork Operating System", "Version ", "IOS"),
    ("Cisco Adaptive Security Appliance", "Version ", "ASA"),
    ("Juniper Networks", "kernel JUNOS ", "JUNOS"),
    ("Arista Networks EOS", "EOS version ", "EOS"),
    ("RouterOS ", "RouterOS ", "RouterOS"),
    ("FortiGate", " v", "FortiOS"),
    ("VMware ESXi ", "VMware ESXi ", "ESXi"),
];

/// Systems whose description is that of `uname -a`: name, host, release.
const UNIX: [&str; 4] = ["Linux", "FreeBSD", "OpenBSD", "NetBSD"];

/// The name and version of the software, when its family is known to describe itself in this way.
pub fn firmware(description: &str) -> Option<String> {
    let mut words = description.split_whitespace();
    if let (Some(system), Some(_host), Some(release)) = (words.next(), words.next(), words.next())
        && UNIX.contains(&system)
    {
        return is_version(release).then(|| format!("{system} {release}"));
    }
    let (_, before, family) = FAMILIES.iter().find(|(start, _, _)| description.starts_with(start))?;
    let (_, after) = description.split_once(before)?;
    let version = after.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '[')).next()?;
    is_version(version).then(|| format!("{family} {version}"))
}

/// A number with a dot in it. The name of a model, which stands in the same place in some
/// descriptions, has none.
fn is_version(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.')
}
