//! The controller above, as the one below it knows it.

use crate::domain::certificate::Certificate;

/// By which certificate the controller above is to be believed, and whether it is heard under that.
///
/// An answer shows what the parent had when it answered. It may have gone on to another key since, and
/// have ended before it said so; then everything that it says is refused. So one that is missed is
/// asked again, however often it answered, until it is heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Above {
    certificate: Certificate,
    is_missed: bool,
}

impl Above {
    /// As the chain of the one below has it.
    pub const fn new(certificate: Certificate) -> Self {
        Self { certificate, is_missed: false }
    }

    /// The same when the one below begins again with a chain that shows this certificate: what was
    /// known holds on.
    #[must_use]
    pub fn again(known: Option<&Self>, certificate: Certificate) -> Self {
        let is_same = |known: &&Self| known.certificate.controller_id == certificate.controller_id;
        match known.filter(is_same) {
            Some(known) => {
                let mut above = known.clone();
                above.show(&certificate);
                above
            }
            None => Self::new(certificate),
        }
    }

    /// The certificate under which it is believed.
    pub const fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// It showed this certificate, verified up to the pin. Whether that is a later one than was known:
    /// only then is it taken, or an answer that was under way for long would bring an old key back.
    pub fn show(&mut self, certificate: &Certificate) -> bool {
        let is_later = certificate.serial > self.certificate.serial;
        if is_later {
            self.certificate.clone_from(certificate);
        }
        is_later
    }

    /// It has been silent for too long.
    pub const fn miss(&mut self) {
        self.is_missed = true;
    }

    /// It is heard, under the certificate that is known.
    pub const fn hear(&mut self) {
        self.is_missed = false;
    }

    /// Whether it is to be asked again which certificate it has, also when it has just answered.
    pub const fn is_missed(&self) -> bool {
        self.is_missed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::controller::Role;
    use crate::domain::key::PublicKey;
    use crate::domain::number::{Epoch, Serial};
    use crate::domain::time::Timestamp;

    fn certificate(number: u8) -> Certificate {
        Certificate {
            controller_id: "regional_cntl_zoneA_1".parse().unwrap(),
            role: Role::Regional,
            region: Some("zone-A".parse().unwrap()),
            public_key: PublicKey::from_bytes([number; 32]),
            issuer: "global_cntl_1".parse().unwrap(),
            epoch: Epoch::from_number(1),
            issued_at: Timestamp::from_millis(0),
            expires_at: Timestamp::from_millis(1_000),
            serial: Serial::from_number(number.into()),
        }
    }

    #[test]
    fn a_parent_that_went_on_to_another_key_after_it_answered_is_asked_again() {
        let mut above = Above::new(certificate(1));
        // It ended as it took its second key, so that nobody was told, and answers under that.
        above.miss();
        assert!(above.show(&certificate(2)));
        // It has its third one before anything else of it is heard: it must be asked again.
        assert!(above.is_missed());
        assert!(!above.show(&certificate(2)));
        assert!(above.is_missed());
        assert!(above.show(&certificate(3)));
        above.hear();
        assert_eq!((above.is_missed(), above.certificate()), (false, &certificate(3)));
    }

    #[test]
    fn an_old_key_does_not_come_back() {
        let mut above = Above::new(certificate(2));
        assert!(!above.show(&certificate(1)));
        assert!(!above.show(&certificate(2)));
        assert_eq!(above.certificate(), &certificate(2));
    }

    #[test]
    fn who_begins_again_with_an_older_chain_keeps_what_it_knows_and_misses() {
        let mut above = Above::new(certificate(3));
        above.miss();
        let again = |number| Above::again(Some(&above), certificate(number));
        assert_eq!(again(2), above);
        assert_eq!((again(4).certificate(), again(4).is_missed()), (&certificate(4), true));
        assert_eq!(Above::again(None, certificate(2)), Above::new(certificate(2)));
        let other = Certificate { controller_id: "regional_cntl_zoneA_2".parse().unwrap(), ..certificate(1) };
        assert_eq!(Above::again(Some(&above), other.clone()), Above::new(other));
    }
}
