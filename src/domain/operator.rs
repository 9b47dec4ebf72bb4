//! The people who tell a controller what to do.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The user of the system who asked for something. It stands in the event of what was done, as `by`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operator {
    /// The name, where the system knows one.
    pub user: Option<String>,
    /// The number.
    pub uid: u32,
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.user {
            Some(user) => write!(f, "{user} ({})", self.uid),
            None => write!(f, "user {}", self.uid),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_operator_is_a_name_and_a_number() {
        let named = Operator { user: Some("ada".to_owned()), uid: 1000 };
        assert_eq!(named.to_string(), "ada (1000)");
        assert_eq!(serde_json::to_value(&named).unwrap(), json!({ "user": "ada", "uid": 1000 }));
        let nameless = Operator { user: None, uid: 7 };
        assert_eq!(nameless.to_string(), "user 7");
        assert_eq!(serde_json::to_value(&nameless).unwrap(), json!({ "user": null, "uid": 7 }));
    }
}
