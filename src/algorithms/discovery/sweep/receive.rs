//! What the answers mean.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use super::access::{Access, Heard};
use super::agent::{Conversation, Progress};
use super::host::{Asked, Host};
use super::targets::Targets;
use super::way::Way;
use super::{LinkSweep, MOST_DISPUTES, Probe, SNMP_PORT};
use crate::domain::address::MacAddr;
use crate::domain::protocol::Protocol;
use crate::wire::arp::{ArpPacket, Operation};
use crate::wire::frame::{Incoming, decode};
use crate::wire::snmp::pdu::Pdu;

/// How a datagram came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Came {
    /// In a frame of this station, to this address.
    AsFrame { by: MacAddr, to: Ipv4Addr },
    /// By the socket that holds the port.
    ThroughKernel,
}

impl LinkSweep {
    /// Takes a frame that came from the link. What does not answer a question of this sweep is
    /// counted or ignored.
    pub fn on_frame(&mut self, now: Duration, frame: &[u8]) {
        self.expired_at = None;
        match decode(frame) {
            Ok(Incoming::Arp(packet)) => self.on_arp(now, &packet),
            Ok(Incoming::EchoReply { source, identifier, sequence, payload, .. }) => {
                // Other people's echo replies are none of ours, good or bad.
                if identifier == self.echo_id {
                    self.on_echo(now, source, sequence, payload);
                }
            }
            Ok(Incoming::PortUnreachable { source, destination, source_port, destination_port, .. }) => {
                if (source_port, destination_port) == (self.settings.snmp_port, SNMP_PORT) && source == destination {
                    self.on_port_unreachable(now, source);
                }
            }
            Ok(Incoming::Udp { source_mac, source, source_port, destination, destination_port, payload }) => {
                if (source_port, destination_port) == (SNMP_PORT, self.settings.snmp_port) {
                    self.on_snmp(now, source, payload, Came::AsFrame { by: source_mac, to: destination });
                }
            }
            Err(refusal) if refusal.is_malformed() => self.malformed(frame),
            Err(_) => {}
        }
    }

    /// Takes an SNMP datagram that the kernel handed over. On a link, those that came in one piece were
    /// read as frames already, and may come here once more. An agent answers from the port that it was
    /// asked at, as in a frame.
    pub fn on_datagram(&mut self, now: Duration, source: SocketAddrV4, payload: &[u8]) {
        self.expired_at = None;
        if source.port() == SNMP_PORT && self.way.targets().contains(*source.ip()) {
            self.on_snmp(now, *source.ip(), payload, Came::ThroughKernel);
        }
    }

    fn on_arp(&mut self, now: Duration, packet: &ArpPacket) {
        let Way::Frames(plan) = &self.way else { return };
        let Some(place) = self.targets.place_of(&plan.targets, packet.sender) else {
            let for_us = packet.operation == Operation::Reply && packet.target_mac == plan.mac;
            self.resolution.stats.rejected += u64::from(for_us);
            return;
        };
        let answers = packet.operation == Operation::Reply
            && packet.target_mac == plan.mac
            && plan.source_for(packet.sender) == Some(packet.target);
        let own = packet.sender_mac == plan.mac;
        if (answers || packet.is_gratuitous()) && !own {
            self.resolved(now, place, packet.sender, packet.sender_mac, answers);
        }
    }

    fn resolved(&mut self, now: Duration, place: u32, address: Ipv4Addr, mac: MacAddr, answers: bool) {
        let Some(target) = self.targets.get(place) else { return };
        if let Some(host) = target.host {
            let same = self.hosts.get(host as usize).is_some_and(|host| host.mac == Some(mac));
            let told = self.disputes.contains(&(address, mac));
            if same || told {
                self.resolution.stats.duplicates += u64::from(answers);
            } else if self.disputes.len() < MOST_DISPUTES {
                self.disputes.push((address, mac));
            }
            return;
        }
        // A host that answers twice to two requests does not tell which it answers (Karn).
        let sent_at = (answers && target.attempts == 1).then_some(target.asked_at);
        if answers {
            self.loss.answered(target.attempts);
        }
        self.greet(now, place, address, Some(mac), sent_at);
    }

    /// A host has answered the first question: it is asked the others. `sent_at` is when the packet left
    /// that it answered, where that is certain.
    pub(super) fn greet(
        &mut self,
        now: Duration,
        target: u32,
        address: Ipv4Addr,
        mac: Option<MacAddr>,
        sent_at: Option<Duration>,
    ) {
        let source = match &self.way {
            Way::Frames(plan) => plan.source_for(address),
            // The kernel chooses it.
            Way::Kernel(_) => Some(Ipv4Addr::UNSPECIFIED),
        };
        let Some(source) = source else { return };
        let Ok(place) = u32::try_from(self.hosts.len()) else { return };
        let Some(target) = self.targets.get_mut(target) else { return };
        if target.given_up {
            self.resolution.stats.late += 1;
        } else {
            self.resolution.open -= 1;
        }
        target.host = Some(place);
        self.resolution.answered(sent_at, now);
        let wants = |protocol| self.settings.protocols.contains(&protocol);
        let asked = |wanted| if wanted { Asked::Open } else { Asked::No };
        let tries = if wants(Protocol::Snmp) { self.desk.tries(address) } else { Vec::new() };
        let talks = !tries.is_empty();
        let echo = match (wants(Protocol::Icmp), &self.way) {
            (false, _) => Asked::No,
            (true, Way::Frames(_)) => Asked::Open,
            // It is what has just been answered.
            (true, Way::Kernel(_)) => Asked::Answered,
        };
        let mut host = Host {
            address,
            mac,
            source,
            first_rtt: sent_at.map(|sent_at| now.saturating_sub(sent_at)),
            echo,
            echo_sent: (0, now),
            echo_rtt: None,
            talking: asked(talks),
            talk: None,
            snmp_sent: (0, now),
        };
        if echo == Asked::Open {
            self.echo.open += 1;
            self.talks.push_back(Probe::Echo { host: place, attempt: 0 });
        }
        if talks {
            let access = Access::new(tries, &self.desk);
            let talk = Conversation::new(self.random.u32(..), access, self.settings.wanted());
            self.snmp.open += 1;
            self.talks.push_back(Probe::Snmp { host: place, question: talk.question(), attempt: 0, packet: 0 });
            host.talk = Some(Box::new(talk));
        }
        self.hosts.push(host);
    }

    fn on_echo(&mut self, now: Duration, source: Ipv4Addr, sequence: u16, payload: &[u8]) {
        let genuine = payload == self.cookie.of(source);
        let host = find(&self.way, &self.targets, &mut self.hosts, source);
        let Some((_, host)) = host.filter(|(_, host)| genuine && sequence <= u16::from(host.echo_sent.0)) else {
            self.echo.stats.rejected += 1;
            return;
        };
        match host.echo {
            Asked::No => self.echo.stats.rejected += 1,
            Asked::Answered => self.echo.stats.duplicates += 1,
            Asked::Open | Asked::GivenUp => {
                if host.echo == Asked::GivenUp {
                    self.echo.stats.late += 1;
                } else {
                    self.echo.open -= 1;
                }
                let (attempt, left) = host.echo_sent;
                let sent_at = (sequence == u16::from(attempt)).then_some(left);
                host.echo = Asked::Answered;
                host.echo_rtt = sent_at.map(|sent_at| now.saturating_sub(sent_at));
                self.echo.answered(sent_at, now);
            }
        }
    }

    pub(super) fn on_port_unreachable(&mut self, now: Duration, source: Ipv4Addr) {
        let host = find(&self.way, &self.targets, &mut self.hosts, source);
        let Some((_, host)) = host.filter(|(_, host)| host.talking == Asked::Open) else { return };
        let (attempt, left) = host.snmp_sent;
        if let Some(talk) = host.talk.as_mut() {
            talk.refused();
        }
        host.talking = Asked::Answered;
        self.snmp.open -= 1;
        self.snmp.heard((attempt == 0).then_some(left), now);
    }

    fn on_snmp(&mut self, now: Duration, source: Ipv4Addr, payload: &[u8], came: Came) {
        let counted = came != Came::ThroughKernel || matches!(self.way, Way::Kernel(_));
        let Some((place, host)) = find(&self.way, &self.targets, &mut self.hosts, source) else {
            self.snmp.stats.rejected += u64::from(counted);
            return;
        };
        let Some(talk) = host.talk.as_mut() else {
            self.snmp.stats.rejected += u64::from(counted);
            return;
        };
        if host.talking == Asked::Answered {
            self.snmp.stats.duplicates += u64::from(counted);
            return;
        }
        match talk.hear(payload, &self.desk, self.random.u32(..), now) {
            Heard::Answer(response) => self.told(now, place, Some(&response), false),
            Heard::Again => self.told(now, place, None, false),
            Heard::Late(response) => self.told(now, place, response.as_ref(), true),
            Heard::Refused => {
                let may_be_answered_late = talk.may_be_answered_late();
                self.heard(now, place, false);
                self.ended(place, if may_be_answered_late { Asked::GivenUp } else { Asked::Answered });
            }
            Heard::Stray => self.snmp.stats.duplicates += u64::from(counted),
            Heard::Unreadable => {
                self.snmp.stats.rejected += u64::from(counted);
                // An answer shows by its number who was asked. What cannot be read shows nothing, and anybody
                // can write an address into it: it is the agent's where it came as the agent would send it.
                let is_theirs = match (&self.way, came) {
                    (Way::Frames(_), Came::AsFrame { by, to }) => host.mac == Some(by) && host.source == to,
                    // Whose frame it was is not seen any more.
                    (Way::Frames(_), Came::ThroughKernel) => false,
                    // The kernel tells no more of anybody than the address.
                    (Way::Kernel(_), _) => true,
                };
                if is_theirs && host.talking == Asked::Open {
                    talk.garbled();
                }
            }
        }
    }

    /// Counts a usable word: on the present question, or `late`, on one that was left.
    fn heard(&mut self, now: Duration, place: u32, late: bool) {
        let Some(host) = self.hosts.get_mut(place as usize) else { return };
        let (attempt, left) = host.snmp_sent;
        self.snmp.answered((attempt == 0 && !late).then_some(left), now);
        let given_up = host.talking == Asked::GivenUp;
        self.snmp.stats.late += u64::from(late || given_up);
        self.snmp.open += usize::from(given_up);
        host.talking = Asked::Open;
    }

    fn ended(&mut self, place: u32, talking: Asked) {
        self.hosts.get_mut(place as usize).into_iter().for_each(|host| host.talking = talking);
        self.snmp.open -= 1;
    }

    /// The agent answered, or said how the question is to be asked.
    fn told(&mut self, now: Duration, place: u32, response: Option<&Pdu>, late: bool) {
        self.heard(now, place, late);
        let random = self.random.u32(..);
        let Some(talk) = self.hosts.get_mut(place as usize).and_then(|host| host.talk.as_mut()) else { return };
        let progress = response.map_or(Progress::Ask, |response| talk.take(response, random, now));
        let question = talk.question();
        match progress {
            Progress::Ask => self.talks.push_back(Probe::Snmp { host: place, question, attempt: 0, packet: 0 }),
            Progress::Finished => self.ended(place, Asked::Answered),
        }
    }

    /// Counts a frame that claims to be of a protocol and breaks its format.
    fn malformed(&mut self, frame: &[u8]) {
        const ARP: [u8; 2] = [0x08, 0x06];
        const UDP: u8 = 17;
        let lane = match (frame.get(12..14), frame.get(23)) {
            (Some(kind), _) if kind == ARP => &mut self.resolution,
            (_, Some(&UDP)) => &mut self.snmp,
            _ => &mut self.echo,
        };
        lane.stats.rejected += 1;
    }
}

/// The host that has this address. Free of `self`, so that the lanes can be counted meanwhile.
pub(super) fn find<'h>(
    way: &Way,
    targets: &Targets,
    hosts: &'h mut [Host],
    address: Ipv4Addr,
) -> Option<(u32, &'h mut Host)> {
    let place = targets.get(targets.place_of(way.targets(), address)?)?.host?;
    hosts.get_mut(place as usize).map(|host| (place, host))
}
