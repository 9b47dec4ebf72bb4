//! Credentials as a sweep uses them: the passwords are hashed once, before anything is asked.

use std::net::Ipv4Addr;
use std::sync::Arc;

use crate::domain::credential::{Access, ContextName, Credential, UserName};
use crate::domain::secret::Community;
use crate::domain::subnet::Subnet;
use crate::wire::usm::keys::MasterKeys;

/// A credential that agents can be asked with.
#[derive(Debug)]
pub struct PreparedCredential {
    subnets: Vec<Subnet>,
    /// Who the agent is asked as.
    pub access: PreparedAccess,
}

/// Who an agent is asked as.
#[derive(Debug)]
pub enum PreparedAccess {
    /// SNMP v2c.
    Community(Community),
    /// SNMP v3.
    User(PreparedUser),
}

/// A user, with keys in place of passwords.
#[derive(Debug)]
pub struct PreparedUser {
    /// The name.
    pub name: UserName,
    /// The context that is asked.
    pub context: ContextName,
    /// The keys before they are localised.
    pub keys: MasterKeys,
}

impl PreparedCredential {
    /// Whether agents at all addresses may be asked with it.
    pub fn is_for_all(&self) -> bool {
        self.subnets.is_empty()
    }

    /// Whether an agent at this address may be asked with it.
    pub fn covers(&self, address: Ipv4Addr) -> bool {
        self.is_for_all() || self.subnets.iter().any(|subnet| subnet.contains(address))
    }
}

/// Prepares credentials, in their order. Each password of SNMP v3 takes some milliseconds.
pub fn prepare(credentials: &[Credential]) -> Arc<[PreparedCredential]> {
    let access = |access: &Access| match access {
        Access::Community(community) => PreparedAccess::Community(community.clone()),
        Access::User(user) => PreparedAccess::User(PreparedUser {
            name: user.name.clone(),
            context: user.context.clone(),
            keys: MasterKeys::derive(user),
        }),
    };
    credentials
        .iter()
        .map(|one| PreparedCredential { subnets: one.subnets.clone(), access: access(&one.access) })
        .collect()
}
