//! Bootstrap tokens: what is read is revealed as the text it was, and no refusal quotes
//! it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pdsno::domain::token::{BootstrapToken, TokenError, TokenId};
use secrecy::ExposeSecret;

fuzz_target!(|octets: &[u8]| {
    let Ok(text) = std::str::from_utf8(octets) else { return };
    match text.parse::<BootstrapToken>() {
        Ok(token) => {
            let revealed = token.reveal();
            assert_eq!(revealed.expose_secret(), text.trim());
            assert!(!format!("{token:?}").contains(revealed.expose_secret()));
        }
        // Nothing of a refusal comes from the text.
        Err(TokenError::Shape) => {}
        Err(TokenError::Part { what, characters }) => {
            assert!(["id", "secret", "ca-pin"].iter().any(|part| what.contains(part)) && characters <= 43, "{what}");
        }
    }
    if let Ok(id) = text.parse::<TokenId>() {
        assert_eq!(id.to_string(), text);
    }
});
