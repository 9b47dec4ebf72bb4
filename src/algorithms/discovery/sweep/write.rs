//! From a probe to the packet that leaves.

use std::time::Duration;

use super::host::{Asked, Host};
use super::lane::Waiting;
use super::way::Way;
use super::{LinkSweep, Probe, SNMP_PORT, Step};
use crate::algorithms::discovery::plan::LinkPlan;
use crate::wire::icmp::Echo;
use crate::wire::ipv4::Heading;
use crate::wire::udp::Datagram;
use crate::wire::{arp, icmp, udp};

impl LinkSweep {
    /// Makes the keys that the probe's packet needs; whether that took long.
    pub(super) fn prepare(&mut self, probe: Probe) -> bool {
        let Probe::Snmp { host, question, .. } = probe else { return false };
        let talk = self.hosts.get_mut(host as usize).and_then(Host::open_talk);
        talk.filter(|talk| talk.question() == question).is_some_and(|talk| talk.prepare(&mut self.desk))
    }

    /// Writes the probe's packet and begins to wait for its answer; `None` when the probe has become
    /// needless meanwhile.
    pub(super) fn write(&mut self, probe: Probe, now: Duration, out: &mut Vec<u8>) -> Option<Step> {
        match probe {
            Probe::First { target, attempt } => match self.way {
                Way::Frames(_) => self.write_arp(target, attempt, now, out),
                Way::Kernel(_) => self.write_first_echo(target, attempt, now, out),
            },
            Probe::Echo { host, attempt } => self.write_echo(host, attempt, now, out),
            Probe::Snmp { host, question, attempt, packet } => {
                self.write_snmp(host, question, attempt, packet, now, out)
            }
        }
    }

    fn write_arp(&mut self, place: u32, attempt: u8, now: Duration, frame: &mut Vec<u8>) -> Option<Step> {
        let Way::Frames(plan) = &self.way else { return None };
        let target = self.targets.get_mut(place).filter(|target| target.host.is_none())?;
        let address = target.address;
        let source = plan.source_for(address)?;
        if attempt == 0 {
            target.asked_at = now;
        }
        target.attempts = attempt + 1;
        arp::encode_request(frame, plan.mac, source, address);
        self.resolution.sent(attempt, now);
        self.resolution.wait_for(attempt, Waiting { who: place, question: 0, sent_at: now });
        Some(Step::Send)
    }

    fn write_first_echo(&mut self, place: u32, attempt: u8, now: Duration, out: &mut Vec<u8>) -> Option<Step> {
        let Way::Kernel(kernel) = &mut self.way else { return None };
        let target = self.targets.get_mut(place);
        let target = target.filter(|target| target.host.is_none() && !target.given_up)?;
        let address = target.address;
        let cookie = self.cookie.of(address);
        let echo = Echo { identifier: self.echo_id, sequence: u16::from(attempt), payload: &cookie };
        icmp::encode_echo_message(out, &echo).ok()?;
        if attempt == 0 {
            kernel.asked(address, now);
        }
        target.asked_at = now;
        target.attempts = attempt + 1;
        self.resolution.sent(attempt, now);
        self.resolution.wait_for(attempt, Waiting { who: place, question: 0, sent_at: now });
        Some(Step::SendEcho(address))
    }

    /// The echo to a host that is known by ARP; through the kernel it was the first question.
    fn write_echo(&mut self, position: u32, attempt: u8, now: Duration, frame: &mut Vec<u8>) -> Option<Step> {
        let Way::Frames(plan) = &self.way else { return None };
        let host = self.hosts.get_mut(position as usize).filter(|host| host.echo == Asked::Open)?;
        let cookie = self.cookie.of(host.address);
        let echo = Echo { identifier: self.echo_id, sequence: u16::from(attempt), payload: &cookie };
        let heading = heading(plan, host, self.random.u16(..))?;
        icmp::encode_echo_request(frame, &heading, &echo).ok()?;
        host.echo_sent = (attempt, now);
        self.echo.sent(attempt, now);
        self.echo.wait_for(attempt, Waiting { who: position, question: 0, sent_at: now });
        Some(Step::Send)
    }

    /// An attempt is one packet, or one for each of the communities that are tried at once.
    fn write_snmp(
        &mut self,
        position: u32,
        question: u32,
        attempt: u8,
        packet: u32,
        now: Duration,
        out: &mut Vec<u8>,
    ) -> Option<Step> {
        let host = self.hosts.get_mut(position as usize)?;
        let talk = host.open_talk().filter(|talk| talk.question() == question)?;
        let packets = talk.packets();
        talk.encode(packet, &mut self.desk, now, &mut self.message);
        host.snmp_sent = (attempt, now);
        let step = match &self.way {
            Way::Frames(plan) => {
                let heading = heading(plan, host, self.random.u16(..))?;
                let ports = (self.settings.snmp_port, SNMP_PORT);
                let datagram = Datagram { source_port: ports.0, destination_port: ports.1, payload: &self.message };
                udp::encode(out, &heading, &datagram).ok()?;
                Step::Send
            }
            Way::Kernel(_) => {
                out.clone_from(&self.message);
                Step::SendSnmp(host.address)
            }
        };
        self.snmp.sent(attempt, now);
        if packet + 1 < packets {
            self.talks.push_front(Probe::Snmp { host: position, question, attempt, packet: packet + 1 });
        } else {
            self.snmp.wait_for(attempt, Waiting { who: position, question, sent_at: now });
        }
        Some(step)
    }
}

fn heading(plan: &LinkPlan, host: &Host, identification: u16) -> Option<Heading> {
    Some(Heading {
        source_mac: plan.mac,
        source: host.source,
        destination_mac: host.mac?,
        destination: host.address,
        identification,
    })
}
