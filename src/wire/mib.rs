//! The objects that discovery reads.

use crate::wire::oid::Oid;

/// `sysDescr.0` (RFC 3418).
pub const SYS_DESCR: Oid = Oid::known(&[1, 3, 6, 1, 2, 1, 1, 1, 0]);
/// `sysObjectID.0` (RFC 3418).
pub const SYS_OBJECT_ID: Oid = Oid::known(&[1, 3, 6, 1, 2, 1, 1, 2, 0]);
/// `sysUpTime.0` (RFC 3418).
pub const SYS_UP_TIME: Oid = Oid::known(&[1, 3, 6, 1, 2, 1, 1, 3, 0]);
/// `sysName.0` (RFC 3418).
pub const SYS_NAME: Oid = Oid::known(&[1, 3, 6, 1, 2, 1, 1, 5, 0]);
/// `sysLocation.0` (RFC 3418).
pub const SYS_LOCATION: Oid = Oid::known(&[1, 3, 6, 1, 2, 1, 1, 6, 0]);
/// `sysServices.0` (RFC 3418).
pub const SYS_SERVICES: Oid = Oid::known(&[1, 3, 6, 1, 2, 1, 1, 7, 0]);

/// `ifEntry`, the row of `ifTable` (RFC 2863): below it come the column and `ifIndex`.
pub const IF_ENTRY: Oid = Oid::known(&[1, 3, 6, 1, 2, 1, 2, 2, 1]);
/// `ifDescr`, a column of `ifTable` (RFC 2863), as are those that follow.
pub const IF_DESCR: Oid = Oid::known(&[1, 3, 6, 1, 2, 1, 2, 2, 1, 2]);
/// `ifType`.
pub const IF_TYPE: Oid = Oid::known(&[1, 3, 6, 1, 2, 1, 2, 2, 1, 3]);
/// `ifSpeed`.
pub const IF_SPEED: Oid = Oid::known(&[1, 3, 6, 1, 2, 1, 2, 2, 1, 5]);
/// `ifPhysAddress`.
pub const IF_PHYS_ADDRESS: Oid = Oid::known(&[1, 3, 6, 1, 2, 1, 2, 2, 1, 6]);
/// `ifAdminStatus`.
pub const IF_ADMIN_STATUS: Oid = Oid::known(&[1, 3, 6, 1, 2, 1, 2, 2, 1, 7]);
/// `ifOperStatus`.
pub const IF_OPER_STATUS: Oid = Oid::known(&[1, 3, 6, 1, 2, 1, 2, 2, 1, 8]);

/// `enterprises` (RFC 1155): below it comes the number that IANA gave to a vendor.
pub const ENTERPRISES: Oid = Oid::known(&[1, 3, 6, 1, 4, 1]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_object_is_within_the_limits_of_an_oid() {
        for oid in [
            SYS_DESCR,
            SYS_OBJECT_ID,
            SYS_UP_TIME,
            SYS_NAME,
            SYS_LOCATION,
            SYS_SERVICES,
            IF_ENTRY,
            IF_DESCR,
            IF_TYPE,
            IF_SPEED,
            IF_PHYS_ADDRESS,
            IF_ADMIN_STATUS,
            IF_OPER_STATUS,
            ENTERPRISES,
        ] {
            assert_eq!(oid.to_string().parse(), Ok(oid));
        }
    }
}
