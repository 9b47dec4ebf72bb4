//! The names that parents give: `global_cntl_1`, `regional_cntl_zoneA_2`, `local_cntl_zoneA_5`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::domain::controller::{ControllerId, NameError, Region, Role};

/// A region as it stands in names: its letters and digits, `zone-A` as `zoneA`. Two regions that
/// have the same one cannot both exist.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RegionSlug(String);

impl RegionSlug {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Region {
    /// The region as it stands in the names of its controllers.
    pub fn slug(&self) -> RegionSlug {
        RegionSlug(self.as_str().chars().filter(char::is_ascii_alphanumeric).collect())
    }
}

impl fmt::Display for RegionSlug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for RegionSlug {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        // A slug is what is left of a region, so it is one that nothing is taken from.
        text.parse::<Region>().map(|region| region.slug()).and_then(|slug| {
            if slug.as_str() == text {
                Ok(slug)
            } else {
                Err(NameError { text: text.to_owned(), what: "region in a name", also: "nothing else", max: 32 })
            }
        })
    }
}

impl TryFrom<String> for RegionSlug {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<RegionSlug> for String {
    fn from(slug: RegionSlug) -> Self {
        slug.0
    }
}

/// A name taken apart. Its number is at least 1 and never given twice.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ControllerName {
    /// `global_cntl_{n}`: the primary is 1, the standby 2.
    Global(u32),
    /// `regional_cntl_{region}_{n}`.
    Regional(RegionSlug, u32),
    /// `local_cntl_{region}_{n}`, the region of its Regional Controller.
    Local(RegionSlug, u32),
}

impl ControllerName {
    /// The tier that the name says.
    pub const fn role(&self) -> Role {
        match self {
            Self::Global(_) => Role::Global,
            Self::Regional(..) => Role::Regional,
            Self::Local(..) => Role::Local,
        }
    }

    /// The region in the name; a Global Controller has none.
    pub const fn slug(&self) -> Option<&RegionSlug> {
        match self {
            Self::Global(_) => None,
            Self::Regional(slug, _) | Self::Local(slug, _) => Some(slug),
        }
    }

    /// Whether a controller of this tier and region may be called so.
    pub fn fits(&self, role: Role, region: Option<&Region>) -> bool {
        self.role() == role && self.slug() == region.map(Region::slug).as_ref()
    }

    /// The name as text.
    pub fn id(&self) -> ControllerId {
        ControllerId(self.to_string())
    }
}

impl fmt::Display for ControllerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Global(number) => write!(f, "global_cntl_{number}"),
            Self::Regional(slug, number) => write!(f, "regional_cntl_{slug}_{number}"),
            Self::Local(slug, number) => write!(f, "local_cntl_{slug}_{number}"),
        }
    }
}

impl FromStr for ControllerName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let number = |text: &str| text.parse().ok().filter(|n: &u32| *n > 0 && n.to_string() == text);
        let in_region = |text: &str| {
            let (slug, last) = text.rsplit_once('_')?;
            Some((slug.parse().ok()?, number(last)?))
        };
        let name = if let Some(rest) = text.strip_prefix("global_cntl_") {
            number(rest).map(Self::Global)
        } else if let Some(rest) = text.strip_prefix("regional_cntl_") {
            in_region(rest).map(|(slug, number)| Self::Regional(slug, number))
        } else if let Some(rest) = text.strip_prefix("local_cntl_") {
            in_region(rest).map(|(slug, number)| Self::Local(slug, number))
        } else {
            None
        };
        name.ok_or_else(|| NameError {
            text: text.chars().take(100).collect(),
            what: "name that a parent gives, such as local_cntl_zoneA_5",
            also: "'_'",
            max: 63,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn region(text: &str) -> Region {
        text.parse().unwrap()
    }

    proptest! {
        #[test]
        fn a_name_is_read_back_and_is_a_controller_id(text in "[A-Za-z0-9_-]{0,31}[A-Za-z0-9]", number in 1_u32..) {
            let slug = region(&text).slug();
            for name in [
                ControllerName::Global(number),
                ControllerName::Regional(slug.clone(), number),
                ControllerName::Local(slug, number),
            ] {
                prop_assert_eq!(name.to_string().parse(), Ok(name.clone()));
                prop_assert_eq!(name.to_string().parse(), Ok(name.id()));
            }
        }
    }

    #[test]
    fn two_spellings_of_a_region_have_one_slug() {
        assert_eq!(region("zone-A").slug().as_str(), "zoneA");
        assert_eq!(region("zone-A").slug(), region("zoneA").slug());
        assert_ne!(region("zone-A").slug(), region("zone-a").slug());
    }

    #[test]
    fn a_name_fits_its_tier_and_region_only() {
        let name: ControllerName = "local_cntl_zoneA_5".parse().unwrap();
        assert!(name.fits(Role::Local, Some(&region("zone-A"))));
        assert!(!name.fits(Role::Regional, Some(&region("zone-A"))));
        assert!(!name.fits(Role::Local, Some(&region("zone-B"))));
        assert!(!name.fits(Role::Local, None));
        assert!(ControllerName::Global(1).fits(Role::Global, None));
    }

    #[test]
    fn what_nobody_gives_is_no_name() {
        for text in ["standalone", "global_cntl_0", "global_cntl_01", "local_cntl_5", "local_cntl_zone-A_5", "x"] {
            assert!(text.parse::<ControllerName>().unwrap_err().to_string().contains(text), "{text}");
        }
        assert!(ControllerId::newcomer([7; 16]).as_str().parse::<ControllerName>().is_err());
        assert!(ControllerId::newcomer([7; 16]).as_str().parse::<ControllerId>().unwrap().is_newcomer());
        assert!(!ControllerId::standalone().is_newcomer() && !ControllerName::Global(1).id().is_newcomer());
    }
}
