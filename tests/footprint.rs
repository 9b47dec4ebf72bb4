//! What a sweep holds, counted by the allocator: for each address that is waited for, and for each host
//! and agent with questions under way. `cargo test --test footprint -- --nocapture` prints the figures.
//!
//! No socket is part of it: the sweep is handed its time and its frames, so that all addresses can be
//! made to wait at once, which no rate that a network would be asked at does.

use std::alloc::System;
use std::sync::Arc;
use std::time::Duration;

use cap::Cap;
use pdsno::algorithms::discovery::credentials::{PreparedCredential, prepare};
use pdsno::algorithms::discovery::plan::plan;
use pdsno::algorithms::discovery::sweep::{LinkSweep, Step, SweepSettings};
use pdsno::domain::address::MacAddr;
use pdsno::domain::credential::{
    Access, AuthProtocol, ContextName, Credential, Passphrase, PrivacyProtocol, User, UserName,
};
use pdsno::domain::link::Link;
use pdsno::domain::policy::Probing;
use pdsno::domain::protocol::Protocol;
use pdsno::domain::secret::Community;

#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

const OWN: MacAddr = MacAddr::new([2, 0, 0, 0, 0, 0xfe]);

/// Waits of the pacer at the rate of this test are shorter, waits for an answer longer.
const PACE: Duration = Duration::from_millis(1);

/// A sweep, and what there was on the heap before it.
struct Swept {
    sweep: LinkSweep,
    targets: usize,
    before: usize,
    most: usize,
    now: Duration,
    frame: Vec<u8>,
}

impl Swept {
    fn new(subnet: &str, credentials: &Arc<[PreparedCredential]>) -> Self {
        let before = HEAP.allocated();
        let link = Link {
            name: "lab0".to_owned(),
            index: 2,
            mac: Some(OWN),
            addresses: vec![format!("10.1.0.250/{}", subnet.split('/').nth(1).unwrap()).parse().unwrap()],
            running: true,
        };
        let plan = plan(&[subnet.parse().unwrap()], None, &[link]).unwrap().links.remove(0);
        let settings = SweepSettings {
            protocols: vec![Protocol::Arp, Protocol::Icmp, Protocol::Snmp],
            // So fast that all wait at once.
            probing: Probing { rate: 100_000_000, ..Probing::default() },
            credentials: Arc::clone(credentials),
            neighbours: false,
            counters: false,
            snmp_port: 40_000,
        };
        let sweep = LinkSweep::new(plan, settings, 1);
        let targets = sweep.progress().targets;
        Self { sweep, targets, before, most: 0, now: Duration::ZERO, frame: Vec::new() }
    }

    /// Sends all that is due, until something is waited for; false when nothing is. `answer` makes the
    /// answers, which come when all is sent.
    fn send(&mut self, mut answer: impl FnMut(&[u8])) -> bool {
        loop {
            match self.sweep.next(self.now, &mut self.frame) {
                Step::Send => answer(&self.frame),
                Step::Wait(until) if until - self.now < PACE => self.now = until,
                Step::Wait(until) => {
                    self.most = self.most.max(self.octets());
                    self.now += (until - self.now) / 1_000;
                    return true;
                }
                Step::Done => return false,
                other => panic!("a link is sent frames: {other:?}"),
            }
        }
    }

    /// What it holds.
    fn octets(&self) -> usize {
        HEAP.allocated() - self.before
    }

    fn per_target(&self, octets: usize) -> usize {
        octets.div_ceil(self.targets)
    }
}

fn communities() -> Arc<[PreparedCredential]> {
    prepare(&["public", "private"].map(|text| Community::new(text).unwrap().into()))
}

fn user() -> Arc<[PreparedCredential]> {
    let password = |text| Passphrase::new(text).unwrap();
    let user = User {
        name: UserName::new("scout").unwrap(),
        authentication: (AuthProtocol::Sha256, password("first-password")),
        privacy: Some((PrivacyProtocol::Aes128, password("second-password"))),
        context: ContextName::default(),
    };
    prepare(&[Credential { subnets: Vec::new(), access: Access::User(user) }])
}

/// Of a sweep of a subnet in which nobody is: what it holds for an address when all wait, and at most.
fn silent(subnet: &str) -> (usize, usize) {
    let mut swept = Swept::new(subnet, &communities());
    let mut asked = 0;
    assert!(swept.send(|_| asked += 1));
    assert_eq!(asked, swept.targets, "all wait for the answer to the first question");
    let waiting = swept.octets();
    let mut last = Duration::ZERO;
    while swept.send(|_| asked += 1) {
        // To the end of the longest wait.
        assert!(swept.now > last);
        last = swept.now;
        swept.now += Duration::from_millis(50);
    }
    assert_eq!(asked, 3 * swept.targets, "and is asked to the last attempt");
    (swept.per_target(waiting), swept.per_target(swept.most))
}

/// The answer to an ARP request: each address has a hardware address of its own.
fn resolved(request: &[u8]) -> Vec<u8> {
    let mut answer = request.to_vec();
    let host = [&[2, 1], &request[38..42]].concat();
    answer[..6].copy_from_slice(&request[6..12]);
    answer[6..12].copy_from_slice(&host);
    answer[21] = 2;
    answer[22..28].copy_from_slice(&host);
    answer[28..32].copy_from_slice(&request[38..42]);
    answer[32..42].copy_from_slice(&request[22..32]);
    answer
}

/// Of a sweep of a subnet in which everybody is: what it holds for each host more than for an address
/// when its echo and its agent's first answer are waited for.
fn alive(subnet: &str, credentials: &Arc<[PreparedCredential]>, packets: usize) -> usize {
    let mut swept = Swept::new(subnet, credentials);
    let mut requests = Vec::new();
    assert!(swept.send(|frame| requests.push(frame.to_vec())));
    let answers: Vec<Vec<u8>> = requests.iter().map(|request| resolved(request)).collect();
    drop(requests);
    let beside: usize = answers.iter().map(Vec::capacity).sum::<usize>() + answers.capacity() * size_of::<Vec<u8>>();
    let waiting = swept.octets() - beside;
    let (mut echoes, mut questions) = (0, 0);
    for answer in &answers {
        swept.sweep.on_frame(swept.now, answer);
    }
    assert!(swept.send(|frame| if frame[23] == 1 { echoes += 1 } else { questions += 1 }));
    assert_eq!((echoes, questions), (swept.targets, packets * swept.targets));
    assert_eq!(swept.sweep.progress().hosts, swept.targets);
    swept.per_target(swept.octets() - beside - waiting)
}

#[test]
fn an_address_that_is_waited_for_takes_less_than_two_hundred_octets_of_the_heap() {
    for prefix in [24, 22, 20, 18, 16] {
        let subnet = format!("10.1.0.0/{prefix}");
        let (waiting, most) = silent(&subnet);
        let (asked, by_user) = (alive(&subnet, &communities(), 2), alive(&subnet, &user(), 1));
        println!(
            "/{prefix}: {waiting} octets an address while all wait, {most} at most; for each host {asked} more with two \
             communities, {by_user} more with a user of SNMPv3"
        );
        // What a sweep takes once is shared by few in a /24.
        let bound = if prefix == 24 { 300 } else { 200 };
        assert!(most <= bound, "/{prefix}: {most} octets for each address");
        assert!(asked.max(by_user) <= 1_000, "/{prefix}: {asked} and {by_user} octets for each host");
        assert!(asked > 0 && by_user > 0);
    }
}
