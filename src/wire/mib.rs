//! The objects that discovery reads.

use crate::wire::oid::Oid;

/// `sysDescr.0` (RFC 3418).
pub const SYS_DESCR: Oid = Oid::known(&[1, 3, 6, 1, 2, 1, 1, 1, 0]);
/// `sysObjectID.0` (RFC 3418).
pub const SYS_OBJECT_ID: Oid = Oid::known(&[1, 3, 6, 1, 2, 1, 1, 2, 0]);
/// `sysUpTime.0` (RFC 3418).
pub const SYS_UP_TIME: Oid = Oid::known(&[1, 3, 6, 1, 2, 1, 1, 3, 0]);
/// `sysUpTime` without its instance: what GETBULK answers with `sysUpTime.0`.
pub const SYS_UP_TIME_OBJECT: Oid = Oid::known(&[1, 3, 6, 1, 2, 1, 1, 3]);
/// `sysName.0` (RFC 3418).
pub const SYS_NAME: Oid = Oid::known(&[1, 3, 6, 1, 2, 1, 1, 5, 0]);
/// `sysLocation.0` (RFC 3418).
pub const SYS_LOCATION: Oid = Oid::known(&[1, 3, 6, 1, 2, 1, 1, 6, 0]);
/// `sysServices.0` (RFC 3418).
pub const SYS_SERVICES: Oid = Oid::known(&[1, 3, 6, 1, 2, 1, 1, 7, 0]);

/// `snmpEngineID.0` (RFC 3411): who the agent is, whichever of its addresses is asked.
pub const SNMP_ENGINE_ID: Oid = Oid::known(&[1, 3, 6, 1, 6, 3, 10, 2, 1, 1, 0]);
/// `snmpEngineBoots.0` (RFC 3411): how often the agent has started since it has that name.
pub const SNMP_ENGINE_BOOTS: Oid = Oid::known(&[1, 3, 6, 1, 6, 3, 10, 2, 1, 2, 0]);

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

/// `ifInOctets`, 32 bits wide.
pub const IF_IN_OCTETS: Oid = Oid::known(&[1, 3, 6, 1, 2, 1, 2, 2, 1, 10]);
/// `ifInDiscards`.
pub const IF_IN_DISCARDS: Oid = Oid::known(&[1, 3, 6, 1, 2, 1, 2, 2, 1, 13]);
/// `ifInErrors`.
pub const IF_IN_ERRORS: Oid = Oid::known(&[1, 3, 6, 1, 2, 1, 2, 2, 1, 14]);
/// `ifOutOctets`, 32 bits wide.
pub const IF_OUT_OCTETS: Oid = Oid::known(&[1, 3, 6, 1, 2, 1, 2, 2, 1, 16]);
/// `ifOutDiscards`.
pub const IF_OUT_DISCARDS: Oid = Oid::known(&[1, 3, 6, 1, 2, 1, 2, 2, 1, 19]);
/// `ifOutErrors`.
pub const IF_OUT_ERRORS: Oid = Oid::known(&[1, 3, 6, 1, 2, 1, 2, 2, 1, 20]);
/// `ifHCInOctets`, a column of `ifXTable` (RFC 2863), as are those that follow; 64 bits wide.
pub const IF_HC_IN_OCTETS: Oid = Oid::known(&[1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 6]);
/// `ifHCOutOctets`, 64 bits wide.
pub const IF_HC_OUT_OCTETS: Oid = Oid::known(&[1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 10]);
/// `ifHighSpeed`, in millions of bit/s.
pub const IF_HIGH_SPEED: Oid = Oid::known(&[1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 15]);
/// `ifCounterDiscontinuityTime`.
pub const IF_COUNTER_DISCONTINUITY_TIME: Oid = Oid::known(&[1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 19]);

/// `lldpLocPortIdSubtype`, a column of `lldpLocPortTable` (LLDP-MIB of IEEE 802.1AB), as are the next two.
pub const LLDP_LOC_PORT_ID_SUBTYPE: Oid = Oid::known(&[1, 0, 8802, 1, 1, 2, 1, 3, 7, 1, 2]);
/// `lldpLocPortId`.
pub const LLDP_LOC_PORT_ID: Oid = Oid::known(&[1, 0, 8802, 1, 1, 2, 1, 3, 7, 1, 3]);
/// `lldpLocPortDesc`.
pub const LLDP_LOC_PORT_DESC: Oid = Oid::known(&[1, 0, 8802, 1, 1, 2, 1, 3, 7, 1, 4]);
/// `lldpRemChassisIdSubtype`, a column of `lldpRemTable`, as are those that follow.
pub const LLDP_REM_CHASSIS_ID_SUBTYPE: Oid = Oid::known(&[1, 0, 8802, 1, 1, 2, 1, 4, 1, 1, 4]);
/// `lldpRemChassisId`.
pub const LLDP_REM_CHASSIS_ID: Oid = Oid::known(&[1, 0, 8802, 1, 1, 2, 1, 4, 1, 1, 5]);
/// `lldpRemPortIdSubtype`.
pub const LLDP_REM_PORT_ID_SUBTYPE: Oid = Oid::known(&[1, 0, 8802, 1, 1, 2, 1, 4, 1, 1, 6]);
/// `lldpRemPortId`.
pub const LLDP_REM_PORT_ID: Oid = Oid::known(&[1, 0, 8802, 1, 1, 2, 1, 4, 1, 1, 7]);
/// `lldpRemPortDesc`.
pub const LLDP_REM_PORT_DESC: Oid = Oid::known(&[1, 0, 8802, 1, 1, 2, 1, 4, 1, 1, 8]);
/// `lldpRemSysName`.
pub const LLDP_REM_SYS_NAME: Oid = Oid::known(&[1, 0, 8802, 1, 1, 2, 1, 4, 1, 1, 9]);
/// `lldpRemSysDesc`.
pub const LLDP_REM_SYS_DESC: Oid = Oid::known(&[1, 0, 8802, 1, 1, 2, 1, 4, 1, 1, 10]);
/// `cdpCacheAddressType`, a column of `cdpCacheTable` (CISCO-CDP-MIB), as are those that follow.
pub const CDP_CACHE_ADDRESS_TYPE: Oid = Oid::known(&[1, 3, 6, 1, 4, 1, 9, 9, 23, 1, 2, 1, 1, 3]);
/// `cdpCacheAddress`.
pub const CDP_CACHE_ADDRESS: Oid = Oid::known(&[1, 3, 6, 1, 4, 1, 9, 9, 23, 1, 2, 1, 1, 4]);
/// `cdpCacheDeviceId`.
pub const CDP_CACHE_DEVICE_ID: Oid = Oid::known(&[1, 3, 6, 1, 4, 1, 9, 9, 23, 1, 2, 1, 1, 6]);
/// `cdpCacheDevicePort`.
pub const CDP_CACHE_DEVICE_PORT: Oid = Oid::known(&[1, 3, 6, 1, 4, 1, 9, 9, 23, 1, 2, 1, 1, 7]);
/// `cdpCachePlatform`.
pub const CDP_CACHE_PLATFORM: Oid = Oid::known(&[1, 3, 6, 1, 4, 1, 9, 9, 23, 1, 2, 1, 1, 8]);

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
            SYS_UP_TIME_OBJECT,
            SYS_NAME,
            SYS_LOCATION,
            SYS_SERVICES,
            SNMP_ENGINE_ID,
            SNMP_ENGINE_BOOTS,
            IF_ENTRY,
            IF_DESCR,
            IF_TYPE,
            IF_SPEED,
            IF_PHYS_ADDRESS,
            IF_ADMIN_STATUS,
            IF_OPER_STATUS,
            IF_IN_OCTETS,
            IF_IN_DISCARDS,
            IF_IN_ERRORS,
            IF_OUT_OCTETS,
            IF_OUT_DISCARDS,
            IF_OUT_ERRORS,
            IF_HC_IN_OCTETS,
            IF_HC_OUT_OCTETS,
            IF_HIGH_SPEED,
            IF_COUNTER_DISCONTINUITY_TIME,
            LLDP_LOC_PORT_ID_SUBTYPE,
            LLDP_LOC_PORT_ID,
            LLDP_LOC_PORT_DESC,
            LLDP_REM_CHASSIS_ID_SUBTYPE,
            LLDP_REM_CHASSIS_ID,
            LLDP_REM_PORT_ID_SUBTYPE,
            LLDP_REM_PORT_ID,
            LLDP_REM_PORT_DESC,
            LLDP_REM_SYS_NAME,
            LLDP_REM_SYS_DESC,
            CDP_CACHE_ADDRESS_TYPE,
            CDP_CACHE_ADDRESS,
            CDP_CACHE_DEVICE_ID,
            CDP_CACHE_DEVICE_PORT,
            CDP_CACHE_PLATFORM,
            ENTERPRISES,
        ] {
            assert_eq!(oid.to_string().parse(), Ok(oid));
        }
    }
}
