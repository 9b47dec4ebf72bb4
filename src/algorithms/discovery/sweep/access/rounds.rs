//! How far the way through all credentials is.

use std::time::Duration;

use super::{Access, Heard, MOST_AT_ONCE, Stage};
use crate::algorithms::discovery::sweep::desk::Desk;
use crate::domain::engine::EngineId;
use crate::wire::snmp::pdu::Pdu;
use crate::wire::usm::security::SecurityParameters;

/// The messages of one attempt in each round that an agent can put us through, which answers to no
/// credential: how long they are is known before anybody is asked.
pub fn rounds(desk: &mut Desk, pdu: &Pdu) -> Vec<Vec<Vec<u8>>> {
    let tries = (0_u16..).zip(desk.credentials.iter()).map(|(number, _)| number).collect();
    let mut access = Access::new(tries, desk);
    let mut rounds = Vec::new();
    while !matches!(access.stage, Stage::Nobody) {
        let packets = 0..access.packets();
        let message = |packet| {
            let mut message = Vec::new();
            access.write(packet, MOST_AT_ONCE, pdu.clone(), desk, Duration::ZERO, &mut message);
            message
        };
        rounds.push(packets.map(message).collect());
        let goes_on = match access.stage {
            Stage::Discovery { at } => {
                let told = SecurityParameters::default();
                access.begin(at, EngineId::longest(), &told, Duration::ZERO) == Heard::Again
            }
            _ => access.silence(MOST_AT_ONCE, desk),
        };
        if !goes_on {
            break;
        }
    }
    rounds
}
