//! Names, addresses and numbers as texts: what is read is printed as a text that is read as the same.
#![no_main]

use std::fmt::{Debug, Display};
use std::str::FromStr;

use libfuzzer_sys::fuzz_target;
use pdsno::domain::address::MacAddr;
use pdsno::domain::controller::{Cluster, ControllerId, ControllerName, Region};
use pdsno::domain::device::DeviceId;
use pdsno::domain::digest::Digest;
use pdsno::domain::entry::EventId;
use pdsno::domain::key::PublicKey;
use pdsno::domain::message::Topic;
use pdsno::domain::origin::Origin;
use pdsno::domain::subnet::{AddressSet, Subnet};
use pdsno::domain::time::Timestamp;
use pdsno::wire::oid::Oid;

fn round<T: FromStr + Display + PartialEq + Debug>(text: &str) -> Option<T> {
    let value: T = text.parse().ok()?;
    let printed = value.to_string();
    assert_eq!(printed.parse::<T>().ok().as_ref(), Some(&value), "{text:?} is printed as {printed:?}");
    Some(value)
}

fuzz_target!(|octets: &[u8]| {
    let Ok(text) = std::str::from_utf8(octets) else { return };
    round::<MacAddr>(text);
    round::<Cluster>(text);
    round::<ControllerId>(text);
    round::<Region>(text);
    round::<DeviceId>(text);
    round::<Digest>(text);
    round::<EventId>(text);
    round::<PublicKey>(text);
    round::<Topic>(text);
    round::<Origin>(text);
    round::<Timestamp>(text);
    round::<Oid>(text);
    let _name = text.parse::<ControllerName>();
    if let Some(subnet) = round::<Subnet>(text) {
        let set = AddressSet::new(&[subnet]);
        let last = set.get(set.len() - 1).expect("a subnet has addresses");
        assert_eq!(set.position(last), Some(set.len() - 1));
        assert!(subnet.contains(last) && set.get(set.len()).is_none());
    }
});
