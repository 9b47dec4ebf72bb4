//! Taken away as the backends learn to answer.
macro_rules! unwritten {
    ($reader:ty) => {
        impl crate::nib::question::RegistryReader for $reader {
            fn membership(&self) -> Result<Option<crate::domain::registry::Membership>, crate::nib::NibError> {
                Err(crate::nib::NibError::Unavailable { attempted: "to answer", source: None })
            }
            fn token(
                &self,
                _id: crate::domain::token::TokenId,
            ) -> Result<Option<crate::domain::token::TokenRow>, crate::nib::NibError> {
                Err(crate::nib::NibError::Unavailable { attempted: "to answer", source: None })
            }
            fn tokens(
                &self,
                _after: Option<crate::domain::token::TokenId>,
                _limit: usize,
            ) -> Result<Vec<crate::domain::token::TokenRow>, crate::nib::NibError> {
                Err(crate::nib::NibError::Unavailable { attempted: "to answer", source: None })
            }
            fn controller(
                &self,
                _id: &crate::domain::controller::ControllerId,
            ) -> Result<Option<crate::domain::registry::ControllerRow>, crate::nib::NibError> {
                Err(crate::nib::NibError::Unavailable { attempted: "to answer", source: None })
            }
            fn controller_by_key(
                &self,
                _key: &crate::domain::key::PublicKey,
            ) -> Result<Option<crate::domain::registry::ControllerRow>, crate::nib::NibError> {
                Err(crate::nib::NibError::Unavailable { attempted: "to answer", source: None })
            }
            fn controllers(
                &self,
                _after: Option<&crate::domain::controller::ControllerId>,
                _limit: usize,
            ) -> Result<Vec<crate::domain::registry::ControllerRow>, crate::nib::NibError> {
                Err(crate::nib::NibError::Unavailable { attempted: "to answer", source: None })
            }
            fn count_controllers(
                &self,
                _role: crate::domain::controller::Role,
                _region: &crate::domain::controller::Region,
            ) -> Result<u32, crate::nib::NibError> {
                Err(crate::nib::NibError::Unavailable { attempted: "to answer", source: None })
            }
            fn regions(
                &self,
            ) -> Result<
                std::collections::BTreeMap<crate::domain::controller::RegionSlug, crate::domain::controller::Region>,
                crate::nib::NibError,
            > {
                Err(crate::nib::NibError::Unavailable { attempted: "to answer", source: None })
            }
            fn next_name(
                &self,
                _role: crate::domain::controller::Role,
                _slug: &crate::domain::controller::RegionSlug,
            ) -> Result<u32, crate::nib::NibError> {
                Err(crate::nib::NibError::Unavailable { attempted: "to answer", source: None })
            }
            fn next_serial(&self) -> Result<crate::domain::number::Serial, crate::nib::NibError> {
                Err(crate::nib::NibError::Unavailable { attempted: "to answer", source: None })
            }
            fn blocklist(&self) -> Result<Vec<(crate::domain::registry::Blocked, String)>, crate::nib::NibError> {
                Err(crate::nib::NibError::Unavailable { attempted: "to answer", source: None })
            }
        }
        impl crate::nib::question::StreamReader for $reader {
            fn outbox(
                &self,
                _stream: crate::domain::stream::Stream,
                _after: crate::domain::number::StreamSeq,
                _limit: usize,
            ) -> Result<Vec<crate::domain::stream::OutboxItem>, crate::nib::NibError> {
                Err(crate::nib::NibError::Unavailable { attempted: "to answer", source: None })
            }
            fn position(
                &self,
                _stream: crate::domain::stream::Stream,
            ) -> Result<crate::domain::stream::StreamPosition, crate::nib::NibError> {
                Err(crate::nib::NibError::Unavailable { attempted: "to answer", source: None })
            }
            fn received(
                &self,
                _from: &crate::domain::controller::ControllerId,
                _stream: crate::domain::stream::Stream,
            ) -> Result<crate::domain::number::StreamSeq, crate::nib::NibError> {
                Err(crate::nib::NibError::Unavailable { attempted: "to answer", source: None })
            }
            fn sighting(
                &self,
                _reporter: &crate::domain::controller::ControllerId,
                _reported: crate::domain::device::DeviceId,
            ) -> Result<Option<crate::domain::stream::Sighting>, crate::nib::NibError> {
                Err(crate::nib::NibError::Unavailable { attempted: "to answer", source: None })
            }
            fn sightings_of(
                &self,
                _device: crate::domain::device::DeviceId,
            ) -> Result<Vec<crate::domain::stream::Sighting>, crate::nib::NibError> {
                Err(crate::nib::NibError::Unavailable { attempted: "to answer", source: None })
            }
            fn sightings_by(
                &self,
                _reporter: &crate::domain::controller::ControllerId,
                _after: Option<crate::domain::device::DeviceId>,
                _limit: usize,
            ) -> Result<Vec<crate::domain::stream::Sighting>, crate::nib::NibError> {
                Err(crate::nib::NibError::Unavailable { attempted: "to answer", source: None })
            }
        }
        impl crate::nib::question::PolicyReader for $reader {
            fn policy(&self) -> Result<Option<crate::domain::policy::PolicyRow>, crate::nib::NibError> {
                Err(crate::nib::NibError::Unavailable { attempted: "to answer", source: None })
            }
            fn policies(
                &self,
                _after: crate::domain::number::PolicyVersion,
                _limit: usize,
            ) -> Result<Vec<crate::domain::policy::PolicyRow>, crate::nib::NibError> {
                Err(crate::nib::NibError::Unavailable { attempted: "to answer", source: None })
            }
        }
    };
}
pub(in crate::nib) use unwritten;
