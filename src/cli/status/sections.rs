//! What the actors of a running controller note about themselves, for people.

use anstyle::{AnsiColor, Style};
use serde_json::{Map, Value};

use super::plain;

/// A name and what stands beside it; without a name it goes on with the line before.
pub type Line = (String, String);

/// How words are shown: with colours on a terminal, else as they are.
#[derive(Debug, Clone, Copy)]
pub struct Paint(pub bool);

impl Paint {
    fn word(self, word: &str) -> String {
        let colour = match word {
            "VALIDATED" | "ACTIVE" | "online" => AnsiColor::Green,
            "STARTING" | "PENDING_VALIDATION" | "OFFLINE" | "offline" => AnsiColor::Yellow,
            "STOPPED" => AnsiColor::Red,
            _ => return word.to_owned(),
        };
        if !self.0 {
            return word.to_owned();
        }
        let style = Style::new().fg_color(Some(colour.into()));
        format!("{style}{word}{style:#}")
    }
}

/// The lines of a section; one that is not known here is shown as it is.
pub fn lines(section: &str, value: &Value, paint: Paint) -> Vec<Line> {
    let Some(members) = value.as_object() else { return vec![(section.to_owned(), plain(value))] };
    let section_of = Section { members, paint };
    let told = match section {
        "membership" => section_of.membership(),
        "presence" => section_of.presence(),
        "reports" => section_of.reports(),
        "view" => section_of.view(),
        "policy" => section_of.policy(),
        "audit" => section_of.audit(),
        "refused" => section_of.refused(),
        _ => None,
    };
    let told = told.unwrap_or_else(|| vec![plain(value)]);
    let named = told.into_iter().enumerate();
    named.map(|(at, line)| (if at == 0 { section.to_owned() } else { String::new() }, line)).collect()
}

/// What an actor noted. What lacks a member that it should have is of another version, and is shown as
/// it is.
struct Section<'a> {
    members: &'a Map<String, Value>,
    paint: Paint,
}

impl Section<'_> {
    fn text(&self, name: &str) -> Option<String> {
        self.members.get(name).filter(|value| !value.is_null()).map(plain)
    }

    fn membership(&self) -> Option<Vec<String>> {
        let state = self.text("state")?;
        let shown = self.paint.word(&state);
        let mut lines = match state.as_str() {
            "VALIDATED" => {
                let by = self.text("parent").map_or_else(|| "the trust root".to_owned(), |by| format!("below {by}"));
                let renewed = self.text("renew_at").map(|at| format!(", renewed from {at}")).unwrap_or_default();
                let certificate = format!("certificate {} until {}", self.text("serial")?, self.text("expires_at")?);
                vec![format!("{shown} as {}, {by}", self.text("id")?), certificate + &renewed]
            }
            "PENDING_VALIDATION" => {
                let next = self.text("next_attempt_at");
                let next = next.map_or_else(|| "waits for an answer".to_owned(), |at| format!("asks again {at}"));
                vec![format!("{shown}: attempt {}, {next}", self.text("attempt")?)]
            }
            "STOPPED" => {
                vec![format!("{shown}: {}", self.text("reason")?), format!("to do: {}", self.text("remedy")?)]
            }
            _ => vec![shown],
        };
        lines.extend(self.text("last_reason").map(|reason| format!("last refusal: {reason}")));
        Some(lines)
    }

    fn presence(&self) -> Option<Vec<String>> {
        let mut lines = vec![self.paint.word(&self.text("state")?)];
        let seen = |one: &Value, what: &str| {
            let online = if one.get("online")?.as_bool()? { "online" } else { "offline" };
            let policy = one.get("policy_version").filter(|version| !version.is_null());
            let policy = policy.map(|version| format!(", policy {}", plain(version))).unwrap_or_default();
            let last = one.get("last_contact").filter(|at| !at.is_null());
            let last = last.map_or_else(|| "never heard".to_owned(), |at| format!("last heard {}", plain(at)));
            Some(format!("{what} {} {}{policy}, {last}", plain(one.get("id")?), self.paint.word(online)))
        };
        if let Some(parent) = self.members.get("parent").filter(|parent| !parent.is_null()) {
            lines.push(seen(parent, "above:")?);
        }
        for child in self.members.get("children")?.as_array()? {
            lines.push(seen(child, "below:")?);
        }
        Some(lines)
    }

    fn reports(&self) -> Option<Vec<String>> {
        let (waiting, last) = (self.text("waiting")?, self.text("last")?);
        let heard = self.members.get("parent_heard")?.as_bool()?;
        let why = if heard { "" } else { "; the controller above is not heard" };
        let acknowledged = self.text("acknowledged")?;
        Some(vec![format!("{}: {waiting} waiting, {acknowledged} of {last} acknowledged{why}", self.text("stream")?)])
    }

    fn view(&self) -> Option<Vec<String>> {
        let missing = self.members.get("missing")?.as_array()?;
        let reported = self.members.get("last_report")?.as_object()?;
        let missing = match missing.as_slice() {
            [] => "nobody is missing".to_owned(),
            some => format!("missing: {}", some.iter().map(plain).collect::<Vec<_>>().join(", ")),
        };
        let last = reported.iter().map(|(id, at)| format!("{id} told something {}", plain(at)));
        Some(std::iter::once(missing).chain(last).collect())
    }

    fn policy(&self) -> Option<Vec<String>> {
        let document = self.members.get("in_effect")?.get("document")?;
        let Some(document) = document.as_object() else {
            return Some(vec!["no version yet: as configured here".to_owned()]);
        };
        let ended = if self.members.get("expired")?.as_bool()? { "ended" } else { "valid until" };
        let (version, by) = (plain(document.get("version")?), plain(document.get("issuer")?));
        Some(vec![format!("version {version} of {by}, {ended} {}", plain(document.get("expires_at")?))])
    }

    fn audit(&self) -> Option<Vec<String>> {
        let mut lines = Vec::new();
        lines.extend(self.text("halted").map(|why| format!("{}: {why}", self.paint.word("STOPPED"))));
        let head = self.members.get("head")?;
        lines.push(match head.as_object() {
            None => "no head signed yet".to_owned(),
            Some(head) => {
                format!("head of {} entries, signed {}", plain(head.get("size")?), plain(head.get("signed_at")?))
            }
        });
        let witnesses = self.members.get("witnesses")?.as_object()?.iter();
        lines.extend(witnesses.map(|(id, size)| format!("{id} cosigned {} entries", plain(size))));
        Some(lines)
    }

    fn refused(&self) -> Option<Vec<String>> {
        let (by, reason, detail) = (self.text("by")?, self.text("reason")?, self.text("detail")?);
        Some(vec![format!("{by} refused a message {}: {reason}: {detail}", self.text("at")?)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shown(section: &str, value: &Value) -> Vec<String> {
        let lines = lines(section, value, Paint(false));
        assert_eq!(lines[0].0, section);
        assert!(lines.iter().skip(1).all(|(name, _)| name.is_empty()));
        lines.into_iter().map(|(_, line)| line).collect()
    }

    #[test]
    fn a_membership_is_told_with_what_holds_it_up() {
        let pending = json!({ "state": "PENDING_VALIDATION", "attempt": 3, "last_reason": "TOKEN_INVALID: no such token",
            "next_attempt_at": "2026-11-22T10:00:00.000Z" });
        let expected = [
            "PENDING_VALIDATION: attempt 3, asks again 2026-11-22T10:00:00.000Z",
            "last refusal: TOKEN_INVALID: no such token",
        ];
        assert_eq!(shown("membership", &pending), expected);
        let asking =
            json!({ "state": "PENDING_VALIDATION", "attempt": 1, "last_reason": null, "next_attempt_at": null });
        assert_eq!(shown("membership", &asking), ["PENDING_VALIDATION: attempt 1, waits for an answer"]);
        let stopped = json!({ "state": "STOPPED", "reason": "its key is lost", "remedy": "put it back" });
        assert_eq!(shown("membership", &stopped), ["STOPPED: its key is lost", "to do: put it back"]);
        let root = json!({ "state": "VALIDATED", "id": "global_cntl_1", "serial": "1", "expires_at": "Z",
            "renew_at": null, "parent": null, "last_reason": null });
        assert_eq!(shown("membership", &root), ["VALIDATED as global_cntl_1, the trust root", "certificate 1 until Z"]);
    }

    #[test]
    fn the_others_are_told_one_by_one() {
        let presence = json!({ "state": "OFFLINE",
            "parent": { "id": "global_cntl_1", "online": false, "last_contact": null },
            "children": [{ "id": "local_cntl_zoneA_1", "online": true, "last_contact": "Z", "policy_version": "3" }] });
        let expected = [
            "OFFLINE",
            "above: global_cntl_1 offline, never heard",
            "below: local_cntl_zoneA_1 online, policy 3, last heard Z",
        ];
        assert_eq!(shown("presence", &presence), expected);
        let view = json!({ "last_report": { "local_cntl_zoneA_2": "Z" }, "missing": ["local_cntl_zoneA_1"] });
        assert_eq!(shown("view", &view), ["missing: local_cntl_zoneA_1", "local_cntl_zoneA_2 told something Z"]);
        let reports =
            json!({ "stream": "reports", "last": "7", "acknowledged": "5", "waiting": 2, "parent_heard": false });
        let expected = "reports: 2 waiting, 5 of 7 acknowledged; the controller above is not heard";
        assert_eq!(shown("reports", &reports), [expected]);
    }

    #[test]
    fn policy_and_log_are_told_in_a_line_each() {
        let none = json!({ "in_effect": { "document": null, "values": {} }, "expired": false });
        assert_eq!(shown("policy", &none), ["no version yet: as configured here"]);
        let document = json!({ "version": "3", "issuer": "global_cntl_1", "expires_at": "Z" });
        let over = json!({ "in_effect": { "document": document }, "expired": true });
        assert_eq!(shown("policy", &over), ["version 3 of global_cntl_1, ended Z"]);
        let audit = json!({ "head": { "size": 9, "signed_at": "Z" }, "witnesses": { "regional_cntl_zoneA_1": 8 }, "halted": null });
        let expected = ["head of 9 entries, signed Z", "regional_cntl_zoneA_1 cosigned 8 entries"];
        assert_eq!(shown("audit", &audit), expected);
    }

    #[test]
    fn what_is_not_known_is_shown_as_it_is() {
        assert_eq!(shown("policy", &json!({ "version": "3" })), ["version: 3"]);
        assert_eq!(shown("weather", &json!("fine\nwarm")), ["fine warm"]);
        assert_eq!(shown("membership", &json!({ "state": "DREAMING" })), ["DREAMING"]);
    }

    #[test]
    fn colours_are_for_terminals() {
        let state = json!({ "state": "STOPPED", "reason": "a", "remedy": "b" });
        let line = |paint| lines("membership", &state, Paint(paint)).remove(0).1;
        assert_eq!(line(false), "STOPPED: a");
        assert!(line(true).starts_with("\u{1b}[31mSTOPPED\u{1b}[0m"), "{:?}", line(true));
    }
}
