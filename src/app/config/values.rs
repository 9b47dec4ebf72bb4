//! Texts that mean something, and what is said when they do not.
//!
//! The refusals of what `security` holds never quote the text.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// A name given by hand; `None` for the words that leave it to somebody else.
pub(super) fn by_hand<T: FromStr>(text: &str) -> Result<Option<T>, T::Err> {
    match text {
        "auto_assigned" | "auto_determined" => Ok(None),
        name => name.parse().map(Some),
    }
}

/// A Linux interface: 1 to 15 bytes, no space, slash or colon (`dev_valid_name` of the kernel).
pub(super) fn interface(text: &str) -> Result<String, String> {
    let plain = text.chars().all(|c| !c.is_whitespace() && !c.is_control() && c != '/' && c != ':');
    if (1..=15).contains(&text.len()) && plain && text != "." && text != ".." {
        Ok(text.to_owned())
    } else {
        Err(format!("{text:?} is not the name of an interface; `ip link` lists them"))
    }
}

/// A path. One that is not UTF-8 cannot be written in a file and arrives from the environment with
/// replacement characters; it is refused before it names a file that nobody meant.
pub(super) fn path(text: &str) -> Result<PathBuf, &'static str> {
    if text.is_empty() {
        Err("a path must not be empty")
    } else if text.contains(|c: char| c.is_control() || c == char::REPLACEMENT_CHARACTER) {
        Err("a path of one line in UTF-8 is expected; this one has control characters or wrong bytes")
    } else {
        Ok(PathBuf::from(text))
    }
}

/// The path of a database file. What SQLite would take for something else is refused.
pub(super) fn database(text: &str) -> Result<PathBuf, String> {
    if text == ":memory:" || text.starts_with("file:") {
        return Err(format!("{text:?} is a special name of SQLite; give the path of a file"));
    }
    let path = path(text)?;
    if text.ends_with('/') || path.file_name().is_none() {
        return Err(format!("{text:?} is a folder; give the path of a file in it, for example data/pdsno.db"));
    }
    Ok(path)
}

/// The path of a file with a key; the key itself is refused.
pub(super) fn key_file(text: &str) -> Result<PathBuf, &'static str> {
    if text.contains("-----BEGIN") {
        return Err("this is the content of a file; give the path of the file instead");
    }
    path(text)
}

/// The one backend that there is.
pub(super) fn backend(text: &str) -> Result<(), String> {
    match text {
        "sqlite" => Ok(()),
        "postgres" => Err("postgres comes later; the backend that there is now is sqlite".to_owned()),
        other => Err(format!("unknown backend {other:?}; the backend is sqlite")),
    }
}

/// `host:port`.
pub(super) fn broker(text: &str) -> Result<String, String> {
    let well_formed = text.rsplit_once(':').is_some_and(|(host, port)| {
        let host_is_plain =
            host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']'));
        !host.is_empty() && host_is_plain && port.parse::<u16>().is_ok_and(|port| port != 0)
    });
    if well_formed {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "{text:?} is not a broker; write host:port with a port from 1 to 65535, for example localhost:1883"
        ))
    }
}

/// An address to listen on; `None` for the word `none`.
pub(super) fn listen(text: &str) -> Result<Option<SocketAddr>, String> {
    match text {
        "none" => Ok(None),
        address => address.parse().map(Some).map_err(|_| {
            format!("{text:?} is not an address to listen on; write address:port, for example 127.0.0.1:8080, or none")
        }),
    }
}

/// Keeps the first of equal items, in order; whether there were any.
pub(super) fn drop_repeated<T: PartialEq>(items: &mut Vec<T>) -> bool {
    let before = items.len();
    let mut kept: Vec<T> = Vec::with_capacity(before);
    for item in items.drain(..) {
        if !kept.contains(&item) {
            kept.push(item);
        }
    }
    *items = kept;
    items.len() < before
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_interface_broker_or_address_is_refused_by_name() {
        for text in ["", "eth0 ", "a/b", "eth0:1", "..", "sixteen-letters-"] {
            assert!(interface(text).unwrap_err().contains(&format!("{text:?}")));
        }
        for text in ["", "localhost", ":1883", "localhost:0", "localhost:70000", "mqtt://localhost:1883", "a b:1"] {
            assert!(broker(text).unwrap_err().contains(&format!("{text:?}")));
        }
        for text in ["", "localhost:8080", "127.0.0.1", "127.0.0.1:65536", "8080"] {
            assert!(listen(text).unwrap_err().contains(&format!("{text:?}")));
        }
        assert_eq!(interface("enp3s0.100"), Ok("enp3s0.100".to_owned()));
        assert_eq!(broker("[::1]:8883"), Ok("[::1]:8883".to_owned()));
        assert_eq!(listen("[::1]:0"), Ok(Some("[::1]:0".parse().unwrap())));
    }

    #[test]
    fn a_database_is_a_file() {
        for text in ["", "data/", "..", ":memory:", "file:x?mode=memory", "a\nb", "a\u{fffd}"] {
            assert!(database(text).is_err(), "{text:?}");
        }
        assert_eq!(database("pdsno.db"), Ok(PathBuf::from("pdsno.db")));
    }

    #[test]
    fn a_key_in_place_of_its_file_is_refused_unseen() {
        let refusal = key_file("-----BEGIN PRIVATE KEY----- c2VjcmV0").unwrap_err();
        assert!(!refusal.contains("c2VjcmV0"));
        assert!(key_file("one\ntwo").is_err());
    }
}
