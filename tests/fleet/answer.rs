//! What the fleet does about a frame: which frames it sends for it, and when.

use std::time::Duration;

use serde::Serialize;

use crate::draw::Question;
use crate::engine::Engines;
use crate::fault::Fault;
use crate::frames::{self, Ends, Request};
use crate::network::{Host, Kind, Network};
use crate::objects::View;
use crate::snmp;
use crate::version::Version;

/// What came and went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Requests to addresses that somebody has.
    pub arp_requests: u64,
    /// Those for addresses that nobody has.
    pub arp_requests_for_nobody: u64,
    pub echo_requests: u64,
    pub snmp_requests: u64,
    /// Of these, what no agent answers: another community or version, nonsense.
    pub snmp_requests_unanswered: u64,
    /// Frames that ask nobody for anything, or a station for another's address.
    pub other_frames: u64,
    pub lost_requests: u64,
    pub arp_replies: u64,
    pub echo_replies: u64,
    pub snmp_responses: u64,
    pub port_unreachable: u64,
    /// Malformed and cut off frames ahead of good ones.
    pub noise: u64,
    pub lost_replies: u64,
    pub duplicates: u64,
    pub late_replies: u64,
    /// Replies that nobody had asked for.
    pub unsolicited: u64,
    /// Frames that the interface did not take.
    pub undelivered: u64,
    /// The most replies that waited for their time.
    pub most_waiting: u64,
}

/// A fleet that answers.
#[derive(Debug)]
pub struct Fleet {
    pub network: Network,
    pub counters: Counters,
    /// For each host the number of its next frame, by which chance is drawn: what happens to a host
    /// does not depend on what others do.
    drawn: Vec<u32>,
    engines: Engines,
    frame: Vec<u8>,
    message: Vec<u8>,
}

/// How much after a frame its copy comes.
const COPY_AFTER: Duration = Duration::from_micros(200);

impl Fleet {
    pub fn new(network: Network) -> Self {
        let drawn = vec![0; network.hosts.len()];
        let (counters, engines) = (Counters::default(), Engines::default());
        Self { network, counters, drawn, engines, frame: Vec::new(), message: Vec::new() }
    }

    /// Takes a frame from the scanner; hands each frame that answers it to `send`, with the time
    /// until it leaves. `now` is how long the fleet has been running.
    pub fn on_frame(&mut self, now: Duration, frame: &[u8], send: &mut impl FnMut(Duration, &[u8])) {
        let request = frames::read(frame);
        let ends = match &request {
            Request::Arp(ends) | Request::Echo(ends, _) | Request::Udp(ends, _) | Request::Snmp { ends, .. } => *ends,
            Request::Other => {
                self.counters.other_frames += 1;
                return;
            }
        };
        let Some(place) = self.network.at(ends.destination) else {
            match request {
                Request::Arp(_) => self.counters.arp_requests_for_nobody += 1,
                _ => self.counters.other_frames += 1,
            }
            return;
        };
        let host = &self.network.hosts[place as usize];
        let station = self.network.station(host);
        let broadcast = matches!(request, Request::Arp(_)) && ends.destination_mac.is_group();
        if !broadcast && ends.destination_mac != station {
            self.counters.other_frames += 1;
            return;
        }
        match request {
            Request::Arp(_) => self.counters.arp_requests += 1,
            Request::Echo(..) => self.counters.echo_requests += 1,
            Request::Snmp { .. } => self.counters.snmp_requests += 1,
            Request::Udp(..) | Request::Other => self.counters.other_frames += 1,
        }
        let mut out = std::mem::take(&mut self.frame);
        if self.happens(self.network.options.loss_in, Question::LossIn, place) {
            self.counters.lost_requests += 1;
        } else if self.write(now, place, &ends.back(station), &request, frame, &mut out, send) {
            self.deliver(place, &out, send);
        }
        self.frame = out;
    }

    /// Writes the reply to `out`; `false` for none. What comes ahead of it is sent.
    #[expect(clippy::too_many_arguments, reason = "a request, who answers it, and where to")]
    fn write(
        &mut self,
        now: Duration,
        place: u32,
        back: &Ends,
        request: &Request<'_>,
        asked: &[u8],
        out: &mut Vec<u8>,
        send: &mut impl FnMut(Duration, &[u8]),
    ) -> bool {
        let host = &self.network.hosts[place as usize];
        let faults = host.faults;
        if let Request::Arp(_) = request {
            frames::write_arp(out, back);
            self.counters.arp_replies += 1;
            if faults.has(Fault::Malformed) || faults.has(Fault::Truncated) {
                self.counters.noise += 1;
                let good = out.len();
                let mut bad = [0; 64];
                bad[..good].copy_from_slice(out);
                let bad = if faults.has(Fault::Malformed) { &mut bad[..good] } else { &mut bad[..frames::cut(good)] };
                if faults.has(Fault::Malformed) {
                    frames::spoil(bad);
                }
                send(self.network.options.delay, bad);
            }
            return true;
        }
        if host.kind == Kind::ArpOnly {
            return false;
        }
        let back = &if faults.has(Fault::ForeignSource) { self.foreign(back) } else { *back };
        let wrote = match request {
            Request::Echo(_, rest) => {
                self.counters.echo_replies += 1;
                frames::write_echo(out, back, rest);
                if faults.has(Fault::WrongId) {
                    self.message.clear();
                    self.message.extend_from_slice(rest);
                    self.message.first_mut().into_iter().for_each(|first| *first ^= 0x55);
                    frames::write_echo(out, back, &self.message);
                }
                true
            }
            Request::Snmp { source_port, payload, .. } => {
                self.write_snmp(now, place, back, *source_port, payload, asked, out)
            }
            Request::Udp(_, packet) => self.write_closed(place, back, packet, out),
            Request::Arp(_) | Request::Other => false,
        };
        if wrote && faults.has(Fault::Malformed) {
            frames::spoil(out);
        }
        if wrote && faults.has(Fault::Truncated) {
            out.truncate(frames::cut(out.len()));
        }
        wrote
    }

    #[expect(clippy::too_many_arguments, reason = "a request, who answers it, and where to")]
    fn write_snmp(
        &mut self,
        now: Duration,
        place: u32,
        back: &Ends,
        port: u16,
        payload: &[u8],
        asked: &[u8],
        out: &mut Vec<u8>,
    ) -> bool {
        let network = &self.network;
        let host = &network.hosts[place as usize];
        let Some(agent) = host.agent() else {
            let packet = asked.get(14..).unwrap_or_default();
            return self.write_closed(place, back, packet, out);
        };
        let view = View { network, host, agent, now, starts: self.engines.starts(place) };
        let wrong_id = host.faults.has(Fault::WrongId);
        let responded = match snmp::version(payload).and_then(Version::of) {
            Some(Version::V3) if agent.versions.has(Version::V3) => {
                self.engines.respond(place, &view, payload, wrong_id, &mut self.message)
            }
            _ => snmp::respond(&view, payload, wrong_id, &mut self.message),
        };
        match responded {
            Ok(()) => {
                self.counters.snmp_responses += 1;
                frames::write_snmp(out, back, port, &self.message);
                true
            }
            Err(_) => {
                self.counters.snmp_requests_unanswered += 1;
                false
            }
        }
    }

    fn write_closed(&mut self, place: u32, back: &Ends, packet: &[u8], out: &mut Vec<u8>) -> bool {
        let closed = self.network.hosts[place as usize].kind == Kind::Plain { closed: true };
        if closed {
            self.counters.port_unreachable += 1;
            frames::write_port_unreachable(out, back, packet);
        }
        closed
    }

    /// The same from the address beside it.
    fn foreign(&self, back: &Ends) -> Ends {
        let beside = self.network.offset(back.source).map_or(back.source, |offset| self.network.address(offset ^ 1));
        Ends { source: beside, ..*back }
    }

    /// Sends a reply as the links of this fleet do: or not, late, twice.
    fn deliver(&mut self, place: u32, frame: &[u8], send: &mut impl FnMut(Duration, &[u8])) {
        let options = &self.network.options;
        let (loss, jitter, late, late_by) = (options.loss_out, options.jitter, options.late, options.late_by);
        let (duplicates, mut delay) = (options.duplicates, options.delay);
        if self.happens(loss, Question::LossOut, place) {
            self.counters.lost_replies += 1;
            return;
        }
        if !jitter.is_zero() {
            let at = self.next_draw(place);
            delay += jitter.mul_f64(self.network.seed.unit(Question::Jitter, at));
        }
        if self.happens(late, Question::Late, place) {
            self.counters.late_replies += 1;
            delay += late_by;
        }
        send(delay, frame);
        if self.happens(duplicates, Question::Duplicate, place) {
            self.counters.duplicates += 1;
            send(delay + COPY_AFTER, frame);
        }
    }

    fn happens(&mut self, share: f64, question: Question, place: u32) -> bool {
        share > 0.0 && {
            let at = self.next_draw(place);
            self.network.seed.happens(share, question, at)
        }
    }

    fn next_draw(&mut self, place: u32) -> u64 {
        let drawn = &mut self.drawn[place as usize];
        *drawn = drawn.wrapping_add(1);
        u64::from(place) << 32 | u64::from(*drawn)
    }
}

/// What a scanner sees a host answer that makes no mistake, speaks all versions of SNMP, and has the
/// community and the users of the options.
pub fn answers(host: &Host) -> Vec<&'static str> {
    let mut answers = vec!["arp"];
    if host.kind != Kind::ArpOnly && !host.faults.spoil_replies() {
        answers.push("icmp");
        answers.extend((!host.readable_by().is_empty()).then_some("snmp"));
    }
    answers
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
