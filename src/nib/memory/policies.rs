//! Policies in memory.

use std::ops::Bound;

use crate::domain::number::PolicyVersion;
use crate::domain::policy::PolicyRow;
use crate::nib::change::registry::taken;
use crate::nib::memory::MemoryReader;
use crate::nib::memory::journal::Table;
use crate::nib::{NibError, PolicyReader, Row};

pub(super) type Policies = Table<PolicyVersion, PolicyRow>;

pub(super) fn put(policies: &mut Policies, policy: &PolicyRow) -> Result<(), NibError> {
    if policies.last_key_value().is_some_and(|(newest, _)| *newest >= policy.version) {
        return Err(taken(Row::Policy(policy.version), None));
    }
    policies.put(policy.version, policy.clone());
    Ok(())
}

impl PolicyReader for MemoryReader {
    fn policy(&self) -> Result<Option<PolicyRow>, NibError> {
        Ok(self.state().policies.last_key_value().map(|(_, policy)| policy.clone()))
    }

    fn policies(&self, after: PolicyVersion, limit: usize) -> Result<Vec<PolicyRow>, NibError> {
        let state = self.state();
        let later = state.policies.range((Bound::Excluded(after), Bound::Unbounded));
        Ok(later.map(|(_, policy)| policy.clone()).take(limit).collect())
    }
}
