//! Object identifiers (X.660) with the limits of SMIv2 (RFC 2578 section 3.5).

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// An object identifier: 2 to 128 arcs of 32 bits, ordered as MIB trees are walked.
///
/// ```
/// use pdsno::wire::oid::Oid;
///
/// let interfaces: Oid = "1.3.6.1.2.1.2".parse()?;
/// let second_name: Oid = "1.3.6.1.2.1.2.2.1.2.2".parse()?;
/// assert!(second_name.starts_with(&interfaces) && interfaces < second_name);
/// assert_eq!(second_name.suffix(&interfaces), Some([2, 1, 2, 2].as_slice()));
/// # Ok::<(), pdsno::wire::oid::OidError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Oid(Cow<'static, [u32]>);

/// Why something is not an object identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OidError {
    /// Not numbers of 32 bits with dots between them.
    #[error("{text:?} is not an object identifier; write numbers and dots, for example 1.3.6.1.2.1.1.1.0")]
    Syntax {
        /// What was given.
        text: String,
    },
    /// Numbers that no object identifier has.
    #[error(
        "the arcs {arcs:?} are not an object identifier: it has 2 to 128 arcs, the first is at most 2, and the second at most 39 unless the first is 2"
    )]
    Arcs {
        /// What was given.
        arcs: Vec<u32>,
    },
    /// An encoding that ends within an arc, or has an arc of more than 32 bits.
    #[error("an object identifier is encoded wrongly, or has an arc of more than 32 bits")]
    Encoding,
}

impl Oid {
    const MAX_ARCS: usize = 128;

    /// An identifier that is known when the program is built. The caller keeps to the limits.
    pub(super) const fn known(arcs: &'static [u32]) -> Self {
        Self(Cow::Borrowed(arcs))
    }

    /// The arcs, from the root.
    pub fn arcs(&self) -> &[u32] {
        &self.0
    }

    /// Whether this lies in the subtree of `prefix`, or is it.
    pub fn starts_with(&self, prefix: &Self) -> bool {
        self.0.starts_with(&prefix.0)
    }

    /// The arcs after `prefix`: the index of a row when `prefix` is a column.
    pub fn suffix(&self, prefix: &Self) -> Option<&[u32]> {
        self.0.strip_prefix(prefix.arcs())
    }

    /// Appends the content octets (X.690 section 8.19): base 128, and the first two arcs in one.
    pub(super) fn append_content(&self, out: &mut Vec<u8>) {
        if let [first, second, rest @ ..] = self.arcs() {
            append_arc(out, u64::from(*first) * 40 + u64::from(*second));
            rest.iter().for_each(|arc| append_arc(out, u64::from(*arc)));
        }
    }

    /// Reads content octets.
    pub(super) fn from_content(content: &[u8]) -> Result<Self, OidError> {
        if content.last().is_none_or(|octet| octet & 0x80 != 0) {
            return Err(OidError::Encoding);
        }
        let mut arcs = Vec::with_capacity(content.len() + 1);
        let mut arc: u64 = 0;
        for octet in content {
            arc = (arc << 7) | u64::from(octet & 0x7f);
            // The first arc but one carries up to 80 more than 32 bits.
            if arc > u64::from(u32::MAX) + 80 {
                return Err(OidError::Encoding);
            }
            if octet & 0x80 == 0 {
                if arcs.is_empty() {
                    let root = (arc / 40).min(2);
                    arcs.push(u32::try_from(root).map_err(|_| OidError::Encoding)?);
                    arc -= root * 40;
                }
                arcs.push(u32::try_from(arc).map_err(|_| OidError::Encoding)?);
                arc = 0;
            }
        }
        Self::try_from(arcs)
    }
}

fn append_arc(out: &mut Vec<u8>, arc: u64) {
    let groups = (64 - arc.leading_zeros()).div_ceil(7).max(1);
    for group in (0..groups).rev() {
        let more = if group == 0 { 0 } else { 0x80 };
        out.push(((arc >> (7 * group)) & 0x7f) as u8 | more);
    }
}

impl TryFrom<Vec<u32>> for Oid {
    type Error = OidError;

    fn try_from(arcs: Vec<u32>) -> Result<Self, OidError> {
        let well_formed = match arcs.as_slice() {
            [0 | 1, second, ..] => *second < 40,
            [2, _, ..] => true,
            _ => false,
        };
        if !well_formed || arcs.len() > Self::MAX_ARCS {
            return Err(OidError::Arcs { arcs });
        }
        Ok(Self(Cow::Owned(arcs)))
    }
}

impl FromStr for Oid {
    type Err = OidError;

    fn from_str(text: &str) -> Result<Self, OidError> {
        let digits = |arc: &&str| arc.bytes().all(|byte| byte.is_ascii_digit());
        text.split('.')
            .map(|arc| Some(arc).filter(digits).and_then(|arc| arc.parse().ok()))
            .collect::<Option<Vec<u32>>>()
            .ok_or_else(|| OidError::Syntax { text: text.to_owned() })?
            .try_into()
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, arc) in self.arcs().iter().enumerate() {
            let dot = if place == 0 { "" } else { "." };
            write!(f, "{dot}{arc}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Any object identifier.
    pub(in crate::wire) fn any_oid() -> impl Strategy<Value = Oid> {
        let root = prop_oneof![(0..2u32, 0..40u32), (Just(2u32), any::<u32>())];
        (root, prop::collection::vec(any::<u32>(), 0..20))
            .prop_map(|((first, second), rest)| Oid::try_from([vec![first, second], rest].concat()).unwrap())
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(oid in any_oid()) {
            prop_assert_eq!(oid.to_string().parse(), Ok(oid));
        }

        #[test]
        fn what_is_encoded_is_decoded(oid in any_oid()) {
            let mut content = Vec::new();
            oid.append_content(&mut content);
            prop_assert_eq!(Oid::from_content(&content), Ok(oid));
        }

        #[test]
        fn any_octets_are_decoded_or_refused(content: Vec<u8>) {
            if let Ok(oid) = Oid::from_content(&content) {
                prop_assert_eq!(oid.to_string().parse(), Ok(oid));
            }
        }
    }

    #[test]
    fn the_encoding_is_that_of_x690() {
        // The example of X.690 section 8.19.5, {joint-iso-itu-t 999 3}, and a well-known enterprise.
        for (text, content) in
            [("2.999.3", [0x88, 0x37, 0x03].as_slice()), ("1.3.6.1.4.1.311", &[43, 6, 1, 4, 1, 0x82, 0x37])]
        {
            let mut out = Vec::new();
            text.parse::<Oid>().unwrap().append_content(&mut out);
            assert_eq!(out, content, "{text}");
        }
    }

    #[test]
    fn limits_are_kept() {
        for text in ["", "1", "1.", ".1.3", "1.40", "3.1", "1.3.-1", "1.3.+1", "1.3.4294967296", "1..3", "a.b"] {
            let refusal = text.parse::<Oid>().unwrap_err().to_string();
            assert!(refusal.contains("object identifier"), "{text:?}: {refusal}");
        }
        assert_eq!(Oid::try_from(vec![1; 129]), Err(OidError::Arcs { arcs: vec![1; 129] }));
        for content in [&[][..], &[0x2b, 0x86], &[0x2b, 0x90, 0x80, 0x80, 0x80, 0x00], &[0xff; 20]] {
            assert_eq!(Oid::from_content(content), Err(OidError::Encoding), "{content:?}");
        }
    }

    #[test]
    fn order_is_that_of_a_walk() {
        let walk = ["1.3.6.1.2", "1.3.6.1.2.0", "1.3.6.1.2.2", "1.3.6.1.2.10", "1.3.6.1.3"];
        let oids: Vec<Oid> = walk.iter().map(|text| text.parse().unwrap()).collect();
        assert!(oids.is_sorted());
    }
}
