//! What comes back through the kernel.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::way::Way;
use super::{LinkSweep, Step};
use crate::domain::address::MacAddr;
use crate::wire::icmp::{self, Echo, Message};

/// An ICMP error about a packet that was sent (RFC 792, RFC 1812 section 5.2.7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliveryError {
    /// Where the packet had gone to.
    pub target: Ipv4Addr,
    /// Who could not deliver it: a router, or the target itself.
    pub from: Ipv4Addr,
    /// The ICMP type.
    pub kind: u8,
    /// The ICMP code.
    pub code: u8,
    /// Whether the packet was one of SNMP.
    pub is_snmp: bool,
}

const DESTINATION_UNREACHABLE: u8 = 3;
/// The router knows nobody of this address; so does ARP of one that is not there.
const HOST_UNREACHABLE: u8 = 1;
const PORT_UNREACHABLE: u8 = 3;

impl LinkSweep {
    /// Takes an ICMP message that the kernel handed over.
    pub fn on_echo_reply(&mut self, now: Duration, source: Ipv4Addr, message: &[u8]) {
        self.expired_at = None;
        match icmp::decode(message) {
            Ok(Message::EchoReply(Echo { sequence, payload, .. })) => {
                // The kernel puts its own identifier into ours; the payload tells whose it is.
                if payload == self.cookie.of(source) {
                    self.on_first_echo(now, source, sequence);
                } else {
                    self.resolution.stats.rejected += 1;
                }
            }
            Err(refusal) if refusal.is_malformed() => self.resolution.stats.rejected += 1,
            Ok(_) | Err(_) => {}
        }
    }

    fn on_first_echo(&mut self, now: Duration, source: Ipv4Addr, sequence: u16) {
        let place = self.targets.place_of(self.way.targets(), source);
        let target = place.and_then(|place| Some((place, self.targets.get(place)?)));
        let Some((place, target)) = target.filter(|(_, target)| sequence < u16::from(target.attempts)) else {
            self.resolution.stats.rejected += 1;
            return;
        };
        if target.host.is_some() {
            self.resolution.stats.duplicates += 1;
            return;
        }
        let sent_at = (sequence + 1 == u16::from(target.attempts)).then_some(target.asked_at);
        self.loss.answered(target.attempts);
        self.greet(now, place, source, None, sent_at);
    }

    /// Takes an ICMP error. It ends nothing: it may be forged, and what it tells may pass. One about a
    /// target that has answered or been given up is counted like the others.
    pub fn on_delivery_error(&mut self, now: Duration, error: &DeliveryError) {
        self.expired_at = None;
        let Way::Kernel(kernel) = &mut self.way else { return };
        if error.kind != DESTINATION_UNREACHABLE || !kernel.plan.targets.contains(error.target) {
            return;
        }
        if error.code == PORT_UNREACHABLE {
            if error.is_snmp && error.from == error.target {
                self.on_port_unreachable(now, error.target);
            }
            return;
        }
        let lane = if error.is_snmp { &mut self.snmp } else { &mut self.resolution };
        lane.stats.unreachable += 1;
        if error.code != HOST_UNREACHABLE && !error.is_snmp {
            kernel.barred.insert(error.target);
        }
    }

    /// Takes it that the packet of this step did not leave, because there is no route.
    pub fn on_no_route(&mut self, step: Step) {
        let Way::Kernel(kernel) = &mut self.way else { return };
        match step {
            Step::SendEcho(address) => {
                self.resolution.stats.sent -= 1;
                let place = self.targets.place_of(&kernel.plan.targets, address);
                let Some(target) = place.and_then(|place| self.targets.get_mut(place)) else { return };
                kernel.no_route.insert(address);
                if !target.given_up && target.host.is_none() {
                    target.given_up = true;
                    self.resolution.open -= 1;
                }
            }
            // The host has just answered; its route may come back until the next attempt.
            Step::SendSnmp(_) => self.snmp.stats.sent -= 1,
            Step::Send | Step::Prepared | Step::Wait(_) | Step::Done => {}
        }
    }

    /// Takes the kernel's neighbour table: the hardware addresses of those hosts that are on link.
    pub fn on_neighbours(&mut self, neighbours: &[(Ipv4Addr, MacAddr)]) {
        for (address, mac) in neighbours {
            if let Some((_, host)) = super::receive::find(&self.way, &self.targets, &mut self.hosts, *address) {
                host.mac.get_or_insert(*mac);
            }
        }
    }

    /// Whether hosts of this sweep may be in the kernel's neighbour table.
    pub fn has_neighbours(&self) -> bool {
        matches!(&self.way, Way::Kernel(kernel) if !kernel.plan.near.is_empty())
    }
}
