//! A host that answered: what it was asked since, and what it said.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::agent::Conversation;
use crate::algorithms::discovery::observation::HostObservation;
use crate::domain::address::MacAddr;
use crate::domain::protocol::Protocol;

/// How far a question to a host is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// It is not asked.
    No,
    /// It is waited for.
    Open,
    /// It answered.
    Answered,
    /// It did not, for as long as was waited.
    GivenUp,
}

/// A host.
#[derive(Debug)]
pub(super) struct Host {
    pub address: Ipv4Addr,
    /// Who answered for the address; `None` where that cannot be seen.
    pub mac: Option<MacAddr>,
    /// Our address on its subnet.
    pub source: Ipv4Addr,
    /// The round trip of the first question.
    pub first_rtt: Option<Duration>,
    pub echo: Asked,
    /// The last attempt, and when it left.
    pub echo_sent: (u8, Duration),
    pub echo_rtt: Option<Duration>,
    pub talking: Asked,
    pub talk: Option<Box<Conversation>>,
    /// The last attempt of the present question, and when it left.
    pub snmp_sent: (u8, Duration),
}

impl Host {
    /// The conversation with its agent, while that is going on.
    pub fn open_talk(&mut self) -> Option<&mut Conversation> {
        if self.talking == Asked::Open { self.talk.as_deref_mut() } else { None }
    }

    /// Whether it is still waited for the answer to this question.
    pub fn asks(&self, question: u32) -> bool {
        self.talking == Asked::Open && self.talk.as_ref().is_some_and(|talk| talk.question() == question)
    }

    /// What is known of the host now. `wanted` tells for each protocol whether it was asked for.
    pub fn finish(self, wanted: [bool; 3]) -> HostObservation {
        let ended_early = self.talking == Asked::Open;
        let said = self.talk.and_then(|talk| if ended_early { talk.leave().map(Ok) } else { Some(talk.finish()) });
        let answered = [self.mac.is_some(), self.echo == Asked::Answered, matches!(said, Some(Ok(_)))];
        let methods = Protocol::ALL.into_iter().zip(wanted).zip(answered);
        HostObservation {
            address: self.address,
            mac: self.mac,
            methods: methods
                .filter(|((_, wanted), answered)| *wanted && *answered)
                .map(|((protocol, _), _)| protocol)
                .collect(),
            rtt: self.echo_rtt.or(self.first_rtt),
            snmp: said,
        }
    }
}
