//! The seeds of the fuzz targets: one small input of each kind, made with fixed keys and times. Those in
//! `tests/fuzz/seeds` are these; `make seeds` writes them.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;

use pdsno::domain::address::MacAddr;
use pdsno::domain::certificate::{Certificate, DelegatedAction, Delegation};
use pdsno::domain::controller::{ControllerId, Role};
use pdsno::domain::cycle::{Completeness, Trigger};
use pdsno::domain::digest::Digest;
use pdsno::domain::entry::{Entry, EventId, Payload};
use pdsno::domain::event::{EventSeq, EventType};
use pdsno::domain::key::PublicKey;
use pdsno::domain::message::BootId;
use pdsno::domain::number::{Epoch, Serial};
use pdsno::domain::policy::{DiscoveryPolicy, Policy, PolicyDocument, Probing};
use pdsno::domain::protocol::Protocol;
use pdsno::domain::time::Timestamp;
use pdsno::domain::tree::TreeHead;
use pdsno::wire::canonical::to_bytes;
use pdsno::wire::checkpoint::{Checkpoint, SignedCheckpoint};
use pdsno::wire::envelope::{Author, Destination, seal};
use pdsno::wire::evidence::{EntryLine, ExportFormat, HeadLine, LinkLine, Manifest, Octets, ProofFile, Step, line};
use pdsno::wire::ipv4::Heading;
use pdsno::wire::note::{KeyName, NoteSigner, SignatureType, VerifierKey};
use pdsno::wire::policy::PolicyRequest;
use pdsno::wire::presence::HeartbeatAck;
use pdsno::wire::report::{DiscoveryReport, Report, ReportedCounts, ReportedCycle};
use pdsno::wire::rtnetlink::Notice;
use pdsno::wire::signature::{KeyPair, PrivateKeyFile, sha256};
use pdsno::wire::statement::{Chain, Statement};
use pdsno::wire::tlog_proof::TlogProof;
use pdsno::wire::udp::{self, Datagram};
use pdsno::wire::validation::{Metadata, ValidationRequest};
use pdsno::wire::witness::AddCheckpoint;
use pdsno::wire::{arp, entry, icmp};
use secrecy::zeroize::Zeroizing;
use serde_json::json;

type Made<T = ()> = Result<T, Box<dyn Error>>;

/// The seeds by the names of their files.
#[derive(Default)]
struct Seeds(BTreeMap<String, Vec<u8>>);

impl Seeds {
    fn add(&mut self, target: &str, name: &str, octets: impl AsRef<[u8]>) {
        self.0.insert(format!("{target}/{name}"), octets.as_ref().to_vec());
    }
}

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fuzz/seeds"))
}

/// The files of the folder of seeds.
fn kept() -> Made<BTreeMap<String, Vec<u8>>> {
    let mut kept = BTreeMap::new();
    for target in fs::read_dir(folder())? {
        for seed in fs::read_dir(target?.path())? {
            let path = seed?.path();
            let name = path.strip_prefix(folder())?.to_str().ok_or("no text")?.to_owned();
            kept.insert(name, fs::read(&path)?);
        }
    }
    Ok(kept)
}

#[test]
fn the_seeds_are_those_that_are_made() -> Made {
    let mut seeds = Seeds::default();
    frames(&mut seeds)?;
    notices(&mut seeds);
    documents(&mut seeds)?;
    texts(&mut seeds)?;
    if std::env::var_os("PDSNO_WRITE_SEEDS").is_some() {
        for (name, octets) in &seeds.0 {
            let path = folder().join(name);
            fs::create_dir_all(path.parent().ok_or("no folder")?)?;
            fs::write(path, octets)?;
        }
    }
    let kept = kept()?;
    assert!(kept.keys().eq(seeds.0.keys()), "other files: `make seeds`, and remove what is not made");
    let differs = |(name, octets): (_, &_)| (seeds.0.get(name) != Some(octets)).then_some(name);
    let differ: Vec<&String> = kept.iter().filter_map(differs).collect();
    assert!(differ.is_empty(), "`make seeds` writes others: {differ:?}");
    Ok(())
}

#[test]
fn every_target_has_seeds_and_every_seed_a_target() -> Made {
    let manifest = fs::read_to_string(folder().join("../Cargo.toml"))?;
    let names = manifest.split("[[bin]]").skip(1).filter_map(|target| target.split('"').nth(1));
    let with_seeds: std::collections::BTreeSet<_> =
        kept()?.into_keys().filter_map(|name| Some(name.split('/').next()?.to_owned())).collect();
    assert!(names.eq(with_seeds.iter().map(String::as_str)), "{with_seeds:?}");
    Ok(())
}

/// Answers are made of questions: who asks and who is asked change places.
fn frames(seeds: &mut Seeds) -> Made {
    let (mac, other) = (MacAddr::new([2, 0, 0, 0, 0, 1]), MacAddr::new([2, 0, 0, 0, 0, 2]));
    let heading = Heading {
        source_mac: mac,
        source: Ipv4Addr::new(10, 0, 1, 1),
        destination_mac: other,
        destination: Ipv4Addr::new(10, 0, 1, 2),
        identification: 7,
    };
    let mut frame = Vec::new();
    arp::encode_request(&mut frame, mac, heading.source, heading.destination);
    seeds.add("frame", "arp_request", &frame);
    let mut reply = frame.clone();
    reply[21] = 2;
    seeds.add("frame", "arp_reply", &reply);
    icmp::encode_echo_request(&mut frame, &heading, &icmp::Echo { identifier: 1, sequence: 2, payload: &[9; 16] })?;
    // A request is 8, its reply 0: the checksum changes by as much (RFC 1624).
    frame[34] = 0;
    let sum = u32::from(u16::from_be_bytes([frame[36], frame[37]])) + 0x0800;
    frame[36..38].copy_from_slice(&((sum & 0xffff) as u16 + (sum >> 16) as u16).to_be_bytes());
    seeds.add("frame", "echo_reply", &frame);
    udp::encode(&mut frame, &heading, &Datagram { source_port: 161, destination_port: 40_000, payload: &RESPONSE })?;
    seeds.add("frame", "udp", &frame);
    seeds.add("snmp", "response", RESPONSE);
    let mut refusal = RESPONSE;
    refusal[23] = 2;
    seeds.add("snmp", "refusal", refusal);
    Ok(())
}

/// Messages of the kernel about a link, an address and a neighbour (rtnetlink(7)). The kernel writes in the
/// byte order of its machine; these are of one that is little-endian.
fn notices(seeds: &mut Seeds) {
    let message = |message_type: u16, payload: &[u8]| {
        let mut octets = (16 + payload.len() as u32).to_le_bytes().to_vec();
        octets.extend(message_type.to_le_bytes());
        octets.extend([0; 10]);
        octets.extend(payload);
        octets
    };
    // struct ifinfomsg: family, type, index, flags IFF_UP and IFF_RUNNING, mask.
    let link = message(16, &[0, 0, 1, 0, 2, 0, 0, 0, 0x41, 0, 0, 0, 0, 0, 0, 0]);
    // struct ifaddrmsg: family, prefix, flags, scope, index; then IFA_LOCAL.
    let address = message(20, &[2, 24, 0, 0, 2, 0, 0, 0, 8, 0, 2, 0, 10, 0, 1, 250]);
    // struct ndmsg: family, index, NUD_REACHABLE, flags, type; then NDA_DST and NDA_LLADDR.
    let mut neighbour = vec![2, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 1, 8, 0, 1, 0, 10, 0, 1, 9];
    neighbour.extend([10, 0, 2, 0, 2, 0, 0, 0, 0, 9, 0, 0]);
    let neighbour = message(28, &neighbour);
    seeds.add("rtnetlink", "several", [&link[..], &address, &neighbour].concat());
    seeds.add("rtnetlink", "cut_off", &neighbour[..neighbour.len() - 1]);
    for (name, octets) in [("link", link), ("address", address), ("neighbour", neighbour)] {
        seeds.add("rtnetlink", name, octets);
    }
}

/// A response of one variable, `sysUpTime.0`, by RFC 3416 and X.690.
const RESPONSE: [u8; 45] = [
    0x30, 0x2b, 0x02, 0x01, 0x01, 0x04, 0x06, b'p', b'u', b'b', b'l', b'i', b'c', 0xa2, 0x1e, 0x02, 0x04, 0x12, 0x34,
    0x56, 0x78, 0x02, 0x01, 0x00, 0x02, 0x01, 0x00, 0x30, 0x10, 0x30, 0x0e, 0x06, 0x08, 0x2b, 6, 1, 2, 1, 1, 3, 0,
    0x43, 0x02, 0x40, 0x16,
];

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_795_255_200_250 + seconds * 1_000)
}

fn pair(number: u8) -> KeyPair {
    KeyPair::from_pkcs8(PrivateKeyFile::new(&Zeroizing::new([number; 32])).as_bytes()).expect("it was just made")
}

fn id(text: &str) -> Made<ControllerId> {
    Ok(text.parse()?)
}

fn certificate(name: &str, role: Role, key: PublicKey) -> Made<Certificate> {
    Ok(Certificate {
        controller_id: id(name)?,
        role,
        region: if role == Role::Global { None } else { Some("zone-A".parse()?) },
        public_key: key,
        issuer: id("global_cntl_1")?,
        epoch: Epoch::from_number(1),
        issued_at: at(0),
        expires_at: at(86_400),
        serial: Serial::from_number(7),
    })
}

fn chain() -> Made<Chain> {
    let (root, below) = (pair(1), pair(2));
    let regional = "regional_cntl_zoneA_1";
    let delegation = Delegation {
        delegatee: id(regional)?,
        delegatee_key: below.public_key(),
        issuer: id("global_cntl_1")?,
        region: "zone-A".parse()?,
        actions: vec![DelegatedAction::ValidateLocalControllers],
        max_local_controllers: 64,
        not_before: at(0),
        not_after: at(86_400),
        epoch: Epoch::from_number(1),
    };
    Ok(Chain {
        certificates: vec![
            Statement::sign(certificate(regional, Role::Regional, below.public_key())?, &root)?,
            Statement::sign(certificate("global_cntl_1", Role::Global, root.public_key())?, &root)?,
        ],
        delegation: Some(Statement::sign(delegation, &root)?),
    })
}

fn policy() -> Policy {
    Policy {
        discovery: DiscoveryPolicy {
            interval: std::time::Duration::from_secs(300),
            missed_cycles_before_inactive: 3,
            protocols: Protocol::ALL.to_vec(),
            neighbours: false,
            counters: false,
            probing: Probing::default(),
        },
        lc_report_timeout: std::time::Duration::from_secs(900),
        emergency_rate_limit_per_hour: 3,
        discovery_spike_threshold: 50,
    }
}

fn an_entry() -> Made<Entry> {
    Ok(Entry {
        origin: "pdsno/pdsno/regional_cntl_zoneA_1".parse()?,
        seq: EventSeq::from_number(12),
        event_id: EventId::new(at(0), [7; 10]),
        event_type: EventType::DeviceDiscovered,
        actor: "regional_cntl_zoneA_1".to_owned(),
        subject: "device 17".to_owned(),
        action: Some("change-vlan".to_owned()),
        decision: None,
        policy_version: Some(3),
        epoch: Epoch::from_number(3),
        timestamp: at(0),
        payload: Payload::Inside(json!({ "mac": "52:54:00:00:00:11", "count": 3, "é": [null, 0.5] })),
    })
}

fn documents(seeds: &mut Seeds) -> Made {
    for (name, text) in [
        ("numbers", "[0,-1,1.5,1e3,9007199254740991,\"9007199254740993\"]"),
        ("texts", "{\"b\":\"\\u00e9\\n\",\"a\":{\"\\ud83d\\ude00\":null},\"\":[true,false]}"),
        ("twice", "{\"a\":1,\"a\":2}"),
        ("deep", "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"),
    ] {
        seeds.add("canonical", name, text);
    }
    let chain = chain()?;
    seeds.add("statement", "chain", to_bytes(&chain)?);
    let mut author = Author::new(id("regional_cntl_zoneA_1")?, BootId::new([2; 16]));
    let to = Destination::Controller(id("local_cntl_zoneA_1")?);
    let ack = HeartbeatAck { sent_at: at(0), children: 4 };
    let header = author.header::<HeartbeatAck>(to.clone(), Epoch::from_number(1), at(0), [3; 10]);
    seeds.add("envelope", "heartbeat_ack", seal(header, &ack, &pair(2))?);
    let request = PolicyRequest { have: None };
    let header = author.header::<PolicyRequest>(to, Epoch::from_number(1), at(1), [4; 10]);
    seeds.add("envelope", "policy_request", seal(header, &request, &pair(2))?);

    let validation = ValidationRequest {
        temp_id: id("temp-1")?,
        role: Role::Local,
        region: "zone-A".parse()?,
        public_key: pair(3).public_key(),
        token_id: "AAECAwQFBgcICQoL".parse()?,
        client_nonce: format!("{}BQU=", "BQUF".repeat(10)).parse()?,
        metadata: Metadata::try_from(BTreeMap::from([("host".to_owned(), "lab".to_owned())]))?,
    };
    let report = DiscoveryReport {
        seq: serde_json::from_value(json!("7"))?,
        report: Report {
            cycle: Some(ReportedCycle {
                trigger: Trigger::Scheduled,
                completeness: Completeness::Complete,
                started_at: at(0),
                duration_ms: 940,
                counts: ReportedCounts { new: 1, ..ReportedCounts::default() },
            }),
            ..Report::default()
        },
    };
    // The kinds by their numbers in targets/messages.rs.
    let bodies: [(u8, &str, Vec<u8>); 4] = [
        (0, "validation_request", to_bytes(&validation)?),
        (9, "heartbeat_ack", to_bytes(&ack)?),
        (11, "policy_request", to_bytes(&request)?),
        (12, "discovery_report", to_bytes(&report)?),
    ];
    for (kind, name, body) in bodies {
        seeds.add("messages", name, [&[kind][..], &body].concat());
    }
    let policy = policy();
    seeds.add("policy", "values", to_bytes(&policy)?);
    let document = PolicyDocument {
        version: serde_json::from_value(json!("3"))?,
        issued_at: at(0),
        expires_at: at(86_400),
        epoch: Epoch::from_number(1),
        issuer: id("global_cntl_1")?,
        values: policy,
    };
    seeds.add("policy", "document", to_bytes(&document)?);
    evidence(seeds, &chain)
}

fn signed_head(size: u64, root: Digest) -> Made<SignedCheckpoint> {
    let (pair, origin) = (pair(2), "pdsno/pdsno/regional_cntl_zoneA_1".parse()?);
    let name: KeyName = "pdsno/pdsno/regional_cntl_zoneA_1".parse()?;
    let signer = NoteSigner::new(name, SignatureType::Ed25519, &pair);
    Ok(SignedCheckpoint::sign(&Checkpoint::new(origin, TreeHead { size, root }), &signer, at(0))?)
}

fn evidence(seeds: &mut Seeds, chain: &Chain) -> Made {
    let body = entry::encode(&an_entry()?)?;
    seeds.add("entry", "inside", &body);
    let beside = Entry { payload: Payload::Beside(sha256(b"{}")), action: None, policy_version: None, ..an_entry()? };
    seeds.add("entry", "beside", entry::encode(&beside)?);
    let signature = entry::sign(&body, &pair(2));
    let head = signed_head(13, sha256(&body))?;
    seeds.add("note", "checkpoint", head.note().to_string());
    seeds.add("note", "text", head.note().text());
    let key = VerifierKey::new("example.org/log".parse()?, SignatureType::Ed25519, pair(2).public_key());
    seeds.add("note", "key", key.to_string());
    let proof = TlogProof {
        extra: Some(b"x".to_vec()),
        index: 12,
        path: vec![sha256(b"a"), sha256(b"b")],
        checkpoint: head.clone(),
    };
    seeds.add("tlog_proof", "proof", proof.to_string());
    let request = AddCheckpoint { old: 9, proof: vec![sha256(b"c")], checkpoint: head.clone() };
    seeds.add("tlog_proof", "add_checkpoint", request.to_string());

    let entry_line = EntryLine { body: Octets(body), signature, payload: None };
    let manifest = Manifest {
        format: ExportFormat::V1,
        origin: an_entry()?.origin,
        from: serde_json::from_value(json!("0"))?,
        to: serde_json::from_value(json!("13"))?,
        before: Vec::new(),
        files: [("entries.jsonl".to_owned(), sha256(b""))].into_iter().collect(),
    };
    let link = LinkLine {
        old: serde_json::from_value(json!("9"))?,
        new: serde_json::from_value(json!("13"))?,
        proof: vec![sha256(b"c")],
    };
    let step = Step { origin: an_entry()?.origin, entry: entry_line.clone(), proof: proof.to_string() };
    // The kinds by their numbers in targets/evidence.rs.
    let lines: [(u8, &str, Vec<u8>); 6] = [
        (0, "manifest", line(&manifest)?),
        (1, "entry", line(&entry_line)?),
        (2, "head", line(&HeadLine { checkpoint: head.note().to_string() })?),
        (3, "link", line(&link)?),
        (4, "chain", line(chain)?),
        (5, "proof", line(&ProofFile::new(vec![step], vec![chain.clone()])?)?),
    ];
    for (kind, name, octets) in lines {
        seeds.add("evidence", name, [&[kind][..], &octets].concat());
    }
    Ok(())
}

fn texts(seeds: &mut Seeds) -> Made {
    for (name, text) in [
        ("mac", "00:1b:54:00:00:01"),
        ("subnet", "10.0.1.0/24"),
        ("time", "2026-11-21T10:00:00.250Z"),
        ("controller", "local_cntl_zoneA_1"),
        ("device", "nib-dev-000047"),
        ("oid", "1.3.6.1.2.1.1.3.0"),
        ("origin", "pdsno/pdsno/global_cntl_1"),
        ("event", "01a1fd8c-69fa-7707-8707-070707070707"),
    ] {
        seeds.add("names", name, text);
    }
    seeds.add("token", "id", "AAECAwQFBgcICQoL");
    let table = "Registry,Assignment,Organization Name,Organization Address\r\n\
                 MA-L,001B54,\"Cisco Systems, Inc\",\"80 West Tasman\r\nSan Jose US\"\r\nMA-M,70B3D50,Example,Here\r\n\
                 MA-S,70B3D5001,Other,There\r\n";
    seeds.add("vendor_table", "registry", table);
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    for name in ["context_runtime.yaml", "policy_default.yaml"] {
        seeds.add("configuration", name, fs::read(manifest.join("config").join(name))?);
    }
    let flow = "{controller: {role: local, subnets: [10.0.1.0/24, '10.0.2.0/24']}, policy: &p {probe_rate: 0x1f}, \
                security: {snmp_communities: [\"a b\", c]}}\n";
    seeds.add("configuration", "flow", flow);
    Ok(())
}

#[test]
fn seeds_of_what_should_be_read_are_read() -> Made {
    let seeds = kept()?;
    let seed = |name: &str| seeds.get(name).ok_or_else(|| format!("no seed {name}"));
    for name in ["arp_request", "arp_reply", "echo_reply", "udp"] {
        pdsno::wire::frame::decode(seed(&format!("frame/{name}"))?)?;
    }
    pdsno::wire::snmp::decode_response(seed("snmp/response")?)?;
    if cfg!(target_endian = "little") {
        let told = pdsno::wire::rtnetlink::decode(seed("rtnetlink/several")?);
        assert!(matches!(told[..], [Notice::Link { .. }, Notice::Address, Notice::Neighbour { .. }]), "{told:?}");
    }
    for name in ["inside", "beside"] {
        entry::decode(seed(&format!("entry/{name}"))?)?;
    }
    for name in ["heartbeat_ack", "policy_request"] {
        pdsno::wire::envelope::read(seed(&format!("envelope/{name}"))?)?;
    }
    SignedCheckpoint::parse(seed("note/checkpoint")?)?;
    TlogProof::parse(seed("tlog_proof/proof")?)?;
    AddCheckpoint::parse(seed("tlog_proof/add_checkpoint")?)?;
    let chain: Chain = pdsno::wire::canonical::read(seed("statement/chain")?, "a chain")?;
    assert_eq!(chain.certificates.len(), 2);
    let table = std::str::from_utf8(seed("vendor_table/registry")?)?;
    assert_eq!(pdsno::algorithms::discovery::vendor::VendorTable::from_ieee_csv(table)?.len(), 3);
    Ok(())
}
