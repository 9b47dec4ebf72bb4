use proptest::prelude::*;
use signed_note::{Note as TheirNote, StandardVerifier, VerifierList};

use super::*;
use crate::wire::signature::KeyPair;
use crate::wire::signature::tests::key;

const AT: Timestamp = Timestamp::from_millis(1_679_315_147_999);

fn signer<'a>(name: &str, signature_type: SignatureType, pair: &'a KeyPair) -> NoteSigner<'a> {
    NoteSigner::new(name.parse().unwrap(), signature_type, pair)
}

fn note(text: &str, signers: &[&NoteSigner<'_>]) -> Note {
    let mut note = Note::unsigned(text.to_owned()).unwrap();
    for signer in signers {
        note.add(signer.sign(text, AT)).unwrap();
    }
    note
}

/// The example of C2SP signed-note.
const POEM: &str = "Ognuno sta solo sul cuor della terra
trafitto da un raggio di sole:

ed è subito sera.

— quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=
";

#[test]
fn the_example_of_the_specification_is_read() {
    let note = Note::parse(POEM.as_bytes()).unwrap();
    assert!(note.text().ends_with("sole:\n\ned è subito sera.\n"), "the text has an empty line itself");
    let [signature] = note.signatures() else { panic!("one signature") };
    assert_eq!(signature.name().as_str(), "quasimodo.example/salvatore");
    assert_eq!(signature.id().to_string(), "367ba04b");
    assert_eq!(note.to_string(), POEM);
    assert_eq!(note.verify(&[]), Err(Unverified::NoKnownKey));
}

/// The verifier key and the note of Go's package golang.org/x/mod/sumdb/note.
#[test]
fn a_key_and_a_note_of_another_implementation_are_verified() {
    let text = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    let peter: VerifierKey = text.parse().unwrap();
    assert_eq!(peter.to_string(), text);
    let signed = "If you think cryptography is the answer to your problem,\n\
        then you don't know what your problem is.\n\n\
        \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    let note = Note::parse(signed.as_bytes()).unwrap();
    let known = [peter.clone()];
    assert_eq!(note.verify(&known), Ok(vec![Verified { key: &peter, time: None }]));
}

#[test]
fn another_crate_verifies_our_notes() {
    let pair = key(1);
    let log = signer("pdsno/prod/global_cntl_1", SignatureType::Ed25519, &pair);
    let witness = signer("pdsno/prod/regional_cntl_zoneA_1", SignatureType::CosignatureV1, &pair);
    let ours = note("pdsno/prod/global_cntl_1\n0\nroot\n\n\nend\n", &[&log, &witness]);
    let theirs = TheirNote::from_bytes(ours.to_string().as_bytes()).unwrap();
    let verifier = StandardVerifier::new(&log.key().to_string()).unwrap();
    let (known, unknown) = theirs.verify(&VerifierList::new(vec![Box::new(verifier)])).unwrap();
    assert_eq!((known.len(), unknown.len()), (1, 1));
    assert_eq!(known[0].id().to_string(), u32::from_be_bytes(*log.key().id().as_bytes()).to_string());
    assert_eq!(theirs.to_bytes(), ours.to_string().into_bytes());
}

#[test]
fn unknown_signatures_are_ignored_and_a_known_one_must_be_right() {
    let (one, two) = (key(1), key(2));
    let known = signer("a.example", SignatureType::Ed25519, &one);
    let same_name = signer("a.example", SignatureType::Ed25519, &two);
    let same_key = signer("b.example", SignatureType::Ed25519, &one);
    let keys = [known.key().clone()];
    let text = "text\n";
    assert_eq!(note(text, &[&same_name, &known, &same_key]).verify(&keys).unwrap().len(), 1);
    assert_eq!(note(text, &[&same_name, &same_key]).verify(&keys), Err(Unverified::NoKnownKey));

    // The signature of another text: the whole note is refused, even beside a right one.
    let mut wrong = note(text, &[&known]);
    wrong.add(known.sign("other\n", AT)).unwrap();
    let refusal = wrong.verify(&keys).unwrap_err();
    assert_eq!(refusal, Unverified::BadSignature { name: known.key().name().clone(), id: known.key().id() });
    assert!(refusal.to_string().contains("a.example"));
}

#[test]
fn a_cosignature_says_when_and_is_no_signature_of_the_log() {
    let pair = key(1);
    let [log, witness] = [SignatureType::Ed25519, SignatureType::CosignatureV1].map(|t| signer("w.example", t, &pair));
    assert_ne!(log.key().id(), witness.key().id());
    let text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
    let note = note(text, &[&witness]);
    let keys = [witness.key().clone()];
    let verified = note.verify(&keys).unwrap();
    assert_eq!(verified[0].time, Some(Timestamp::from_millis(1_679_315_147_000)), "to the second");
    assert_eq!(note.verify(&[log.key().clone()]), Err(Unverified::NoKnownKey));

    // What is signed is written in the specification.
    let message = format!("cosignature/v1\ntime 1679315147\n{text}");
    let octets = [1_679_315_147_u64.to_be_bytes().as_slice(), pair.sign(message.as_bytes()).as_bytes()].concat();
    assert_eq!(note.signatures()[0].octets, octets);
    // Another time, none, one beyond 63 bits: no signature.
    let mut later = octets.clone();
    later[7] ^= 1;
    let beyond = format!("cosignature/v1\ntime {}\n{text}", u64::MAX);
    let beyond = [[0xff; 8].as_slice(), pair.sign(beyond.as_bytes()).as_bytes()].concat();
    for octets in [later, octets[8..].to_vec(), beyond, octets[..71].to_vec(), vec![0]] {
        assert_eq!(witness.key().check(text, &octets), None);
    }
}

#[test]
fn what_breaks_the_format_is_refused() {
    let line = POEM.lines().last().unwrap();
    let refused = |text: &str| Note::parse(text.as_bytes()).unwrap_err();
    assert_eq!(refused(""), NoteError::Unsigned);
    assert_eq!(refused("text\n"), NoteError::Unsigned);
    assert_eq!(refused("text\n\n"), NoteError::Unsigned);
    assert_eq!(refused(&format!("text\n\n{line}")), NoteError::Unended);
    assert_eq!(refused(&format!("te\txt\n\n{line}\n")), NoteError::Control(9));
    assert_eq!(refused(&format!("text\r\n\n{line}\n")), NoteError::Control(13));
    assert_eq!(Note::parse(b"te\xff\n\n"), Err(NoteError::NotUtf8));
    assert_eq!(Note::parse(&vec![b'x'; MAX_NOTE + 1]), Err(NoteError::TooLong(MAX_NOTE + 1)));
    assert_eq!(Note::unsigned("text".to_owned()), Err(NoteError::Unended));
    let broken = [
        line.replace('\u{2014}', "-"),
        line.replace("\u{2014} ", "\u{2014}"),
        line.replace("quasimodo", "quasi+modo"),
        line.replace("quasimodo", "quasi\u{2003}modo"),
        line.replace("quasimodo.example/salvatore", ""),
        line.replace('=', ""),
        format!("{line} "),
        line.replace("N", "_"),
        "\u{2014} name AAAAAA==".to_owned(),
        "not a signature".to_owned(),
    ];
    for line in broken {
        assert_eq!(refused(&format!("text\n\n{line}\n")), NoteError::SignatureLine(line.chars().take(100).collect()));
    }
    let many = |count: usize| format!("text\n\n{}", format!("{line}\n").repeat(count));
    assert_eq!(Note::parse(many(MAX_SIGNATURES).as_bytes()).unwrap().signatures().len(), MAX_SIGNATURES);
    assert_eq!(refused(&many(MAX_SIGNATURES + 1)), NoteError::TooManySignatures);
}

#[test]
fn a_broken_key_is_refused() {
    let text = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    let refused = |from: &str, to: &str| text.replace(from, to).parse::<VerifierKey>().unwrap_err();
    assert!(matches!(refused("+ARpc", "-ARpc"), KeyError::Form(_)));
    assert!(matches!(refused("10TW", "10T"), KeyError::Form(_)));
    assert!(matches!(refused("Peter", "Peter "), KeyError::Name(_)));
    assert!(matches!(refused("+ARpc", "+Ahpc"), KeyError::Type(_)));
    assert!(matches!(refused("10TW", ""), KeyError::Type(_)));
    assert!(matches!(refused("c74f20a3", "C74F20A3"), KeyError::Id { .. }));
    assert!(matches!(refused("Peter", "Pater"), KeyError::Id { said, .. } if said == "c74f20a3"));
}

proptest! {
    #[test]
    fn a_note_is_printed_as_it_was_read(octets in prop::collection::vec(prop::sample::select(
        vec!["\n", "\n\n", "\u{2014} ", "a", " ", "+", "AAAAAAAA", "=", "\t"]), 0..30)) {
        let text = octets.concat();
        if let Ok(note) = Note::parse(text.as_bytes()) {
            prop_assert_eq!(note.to_string(), text);
        }
    }

    #[test]
    fn one_flipped_bit_is_noticed(at: prop::sample::Index, bit in 0..8_u8) {
        let pair = key(1);
        let log = signer("a.example", SignatureType::Ed25519, &pair);
        let mut octets = note("first\nsecond\n", &[&log]).to_string().into_bytes();
        let place = at.index(octets.len());
        octets[place] ^= 1 << bit;
        let keys = [log.key().clone()];
        prop_assert!(Note::parse(&octets).map_or(true, |note| note.verify(&keys).is_err()));
    }

    #[test]
    fn no_octets_make_it_panic(octets in prop::collection::vec(any::<u8>(), 0..200), text in "\\PC{0,80}") {
        prop_assert!(Note::parse(&octets).is_err());
        prop_assert!(text.parse::<VerifierKey>().is_err());
    }
}
