//! The identity of a log.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::domain::controller::{Cluster, ControllerId};

/// The identity of a log, the first line of its checkpoints (C2SP tlog-checkpoint):
/// `pdsno/<cluster>/<controller>` for the logs of pdsno.
///
/// Every line that the format allows is one, so that a foreign log is unknown and not unreadable.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Origin(String);

/// A text that is not the identity of a log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not the origin of a log; it is one line, not empty, such as pdsno/prod/global_cntl_1")]
pub struct OriginError {
    text: String,
}

impl Origin {
    /// The origin of a controller's log.
    ///
    /// ```
    /// use pdsno::domain::origin::Origin;
    ///
    /// let origin = Origin::new(&"prod".parse()?, &"global_cntl_1".parse()?);
    /// assert_eq!(origin.as_str(), "pdsno/prod/global_cntl_1");
    /// # Ok::<(), pdsno::domain::controller::NameError>(())
    /// ```
    pub fn new(cluster: &Cluster, controller: &ControllerId) -> Self {
        Self(format!("pdsno/{cluster}/{controller}"))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The cluster and the controller whose log it is; `None` for a foreign log.
    pub fn parts(&self) -> Option<(Cluster, ControllerId)> {
        let (cluster, controller) = self.0.strip_prefix("pdsno/")?.split_once('/')?;
        Some((cluster.parse().ok()?, controller.parse().ok()?))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        if text.is_empty() || text.chars().any(|c| c.is_ascii_control()) {
            Err(OriginError { text: text.to_owned() })
        } else {
            Ok(Self(text.to_owned()))
        }
    }
}

impl TryFrom<String> for Origin {
    type Error = OriginError;

    fn try_from(text: String) -> Result<Self, OriginError> {
        text.parse()
    }
}

impl From<Origin> for String {
    fn from(origin: Origin) -> Self {
        origin.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_origins_name_cluster_and_controller_and_foreign_ones_do_not() {
        let (cluster, controller) = ("prod".parse().unwrap(), "local_cntl_zoneA_5".parse().unwrap());
        let origin = Origin::new(&cluster, &controller);
        assert_eq!(origin.parts(), Some((cluster, controller)));
        for foreign in ["example.com/behind-the-sofa", "pdsno/prod", "pdsno/prod/a/b", "pdsno//a", "Go log"] {
            assert_eq!(foreign.parse::<Origin>().unwrap().parts(), None, "{foreign}");
        }
        for text in ["", "two\nlines", "tab\there"] {
            assert!(text.parse::<Origin>().unwrap_err().to_string().contains(&format!("{text:?}")));
        }
    }
}
