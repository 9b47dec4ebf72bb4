//! What each type of event decided, for the entries of the log.

use crate::domain::entry::Decision;
use crate::domain::event::EventType;

impl EventType {
    /// What was decided; `None` for what merely happened.
    pub const fn decision(self) -> Option<Decision> {
        self.decided().0
    }

    /// What it was decided about: a verb, or `None` where the subject says it all.
    pub const fn action(self) -> Option<&'static str> {
        self.decided().1
    }

    /// The one table of both. An operator's act approves or denies what it is about; what somebody
    /// has to look at is a flag.
    const fn decided(self) -> (Option<Decision>, Option<&'static str>) {
        use Decision::{Approve, Deny, Flag, Join, Refuse};
        match self {
            Self::BootstrapTokenIssued => (Some(Approve), Some("validate")),
            Self::BootstrapTokenRevoked => (Some(Deny), Some("validate")),
            Self::ControllerValidated | Self::MembershipGranted => (Some(Join), Some("validate")),
            Self::ControllerRejected | Self::MembershipRefused | Self::BootstrapTokenLocked | Self::AttemptsLimited => {
                (Some(Refuse), Some("validate"))
            }
            Self::CertificateRenewed | Self::MembershipRenewed => (Some(Approve), Some("renew")),
            Self::ControllerRevoked | Self::ControllerSuspended | Self::ControllerLocked => {
                (Some(Deny), Some("take_part"))
            }
            Self::ControllerReinstated => (Some(Approve), Some("take_part")),
            Self::MessageRefused => (Some(Refuse), Some("listen")),
            Self::ConfigReloaded => (Some(Approve), Some("configure")),
            Self::ConfigRejected => (Some(Refuse), Some("configure")),
            Self::ChildCheckpoint | Self::AboveCheckpoint => (Some(Approve), Some("cosign")),
            Self::LogFork => (Some(Refuse), Some("cosign")),
            Self::DiscoveryReportRejected => (Some(Refuse), Some("report")),
            Self::DiscoveryRequested => (Some(Approve), Some("discover")),
            Self::PolicySet => (Some(Approve), Some("set_policy")),
            Self::PolicyTaken => (Some(Approve), Some("take_policy")),
            Self::PolicyRefused => (Some(Refuse), Some("take_policy")),
            Self::SecurityAlert
            | Self::LogCorrupt
            | Self::AnchorLag
            | Self::AnomalyDuplicateAddress
            | Self::AnomalyCrossRegionDevice
            | Self::AnomalyDiscoverySpike
            | Self::AnomalyGlobalMacCollision
            | Self::DeviceMultiLc
            | Self::DiscoveryReportStalePolicy
            | Self::LcDiscoveryOverdue
            | Self::DiscoveryLcMissing => (Some(Flag), None),
            Self::NibMigrated
            | Self::ControllerStarted
            | Self::ControllerStopped
            | Self::DiscoverySkipped
            | Self::DiscoveryCycleCompleted
            | Self::DiscoveryCycleFailed
            | Self::DiscoveryWriteConflict
            | Self::ScanProtocolFailed
            | Self::DeviceDiscovered
            | Self::DeviceUpdated
            | Self::DeviceInactive
            | Self::AgentRestarted
            | Self::DeviceMerged
            | Self::DeviceLcReassigned
            | Self::ControllerValidationFailed
            | Self::LogOpened
            | Self::CertificateSwitched
            | Self::BlocklistChanged
            | Self::ControllerOffline
            | Self::ControllerOnline
            | Self::ParentUnreachable
            | Self::ParentReached
            | Self::GlobalDiscoveryCycleUpdated
            | Self::ViewResynchronised => (None, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_decided_has_an_object_and_what_is_flagged_needs_none() {
        for event_type in EventType::ALL {
            let (decision, action) = (event_type.decision(), event_type.action());
            let needs_action = decision.is_some_and(|decision| decision != Decision::Flag);
            assert_eq!(action.is_some(), needs_action, "{event_type}");
        }
        assert_eq!(EventType::ControllerValidated.decision(), Some(Decision::Join));
        assert_eq!(EventType::MessageRefused.decision(), Some(Decision::Refuse));
    }
}
