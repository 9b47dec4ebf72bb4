//! Signed octets that are no message.

use pdsno::domain::reason::Reason;
use pdsno::wire::envelope::LARGEST;
use tokio::time::pause;

use crate::hand::Hand;
use crate::node::Node;
use crate::refusals::scene;

/// The text of a message of the hand in which something was replaced.
fn text(hand: &mut Hand, from: &str, to: &str) -> String {
    let header = serde_json::to_string(&hand.header(1_000_000)).unwrap();
    let text = format!(r#"{{"header":{header},"body":{{"serial":"1"}}}}"#);
    assert!(text.contains(from), "{text}");
    text.replacen(from, to, 1)
}

async fn is_malformed(parent: &Node, hand: &Hand, bytes: &[u8], detail: &str) {
    hand.put(bytes).await;
    let event = parent.events().pop().unwrap();
    assert_eq!(event.payload["reason"], Reason::Malformed.as_str());
    let said = event.payload["detail"].as_str().unwrap();
    assert!(said.contains(detail), "{said}");
}

#[actix::test]
async fn signed_bytes_that_two_readers_could_understand_in_two_ways_are_refused() {
    pause();
    let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    let cases = [
        (r#""body":{"#, r#""body":{"serial":"1","#.to_owned(), "has the key \"serial\" twice"),
        (r#""body":{"#, r#""body":{"more":1,"#.to_owned(), "unknown field `more`"),
        (r#""body":{"#, format!(r#""body":{{"deep":{deep},"#), "nested deeper than 32"),
        (r#""body":{"#, r#""body":{"big":9007199254740993,"#.to_owned(), "beyond 2^53"),
        (r#""schema_version":1"#, r#""schema_version":2"#.to_owned(), "schema version 2"),
        (r#""serial":"1""#, r#""serial":1"#.to_owned(), "invalid type"),
    ];
    for (from, to, detail) in cases {
        let (_bus, parent, mut hand) = scene().await;
        let contents = text(&mut hand, from, &to);
        let bytes = hand.signed(&contents);
        is_malformed(&parent, &hand, &bytes, detail).await;
        // Whose header could not be read is not answered.
        assert_eq!(hand.told_reasons(), []);
        let good = hand.sealed(1_000_000, |_| ());
        hand.put(&good).await;
        assert_eq!((parent.heard(), parent.events().len()), (vec![2], 1), "{detail}");
    }
}

#[actix::test]
async fn octets_that_are_no_envelope_are_refused_by_size_first() {
    pause();
    let (_bus, parent, hand) = scene().await;
    hand.put(&vec![b'{'; 1 << 20]).await;
    hand.put(&vec![b'{'; LARGEST]).await;
    hand.put(br#"{"payload_type":"application/vnd.pdsno.gossip.v1+json","payload":"","signatures":[]}"#).await;
    let reasons: Vec<_> = parent.events().iter().map(|event| event.payload["reason"].clone()).collect();
    // The third is one more of the second.
    assert_eq!(reasons, [Reason::MessageTooLarge.as_str(), Reason::Malformed.as_str()]);
    assert!(parent.heard().is_empty() && hand.told_reasons().is_empty());
}
