//! An agent: SNMP v1 (RFC 1157) and v2c (RFC 1901, RFC 3416). What surrounds a PDU is opened and
//! written by [`respond`], and by `engine` for v3, what is in it by [`answer`], which knows nothing of
//! versions but their rules for errors.

use crate::ber::{self, Reader};
use crate::objects::{Found, Object, View};
use crate::version::Version;

const GET: u8 = 0xa0;
const GET_NEXT: u8 = 0xa1;
const RESPONSE: u8 = 0xa2;
const GET_BULK: u8 = 0xa5;

const NO_SUCH_OBJECT: u8 = 0x80;
const NO_SUCH_INSTANCE: u8 = 0x81;
const END_OF_MIB_VIEW: u8 = 0x82;

/// Numbers of `error-status` (RFC 3416 section 3).
const TOO_BIG: i64 = 1;
const NO_SUCH_NAME: i64 = 2;

/// Why nothing is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// The datagram is no request of SNMP.
    Unreadable,
    /// Its version is not spoken here.
    Version(i64),
    /// The community is another one (RFC 3416 section 4.2 leaves that to the agent; all are silent).
    Community,
    /// It is of SNMP v3, and an engine has nothing to say to it.
    Discarded,
}

/// The number of a message's version.
pub fn version(message: &[u8]) -> Option<i64> {
    Reader(Reader(message).expect(ber::SEQUENCE)?).expect(ber::INTEGER).and_then(ber::integer)
}

/// Clears `out` and writes the response to a request. `wrong_id` makes it one that nobody waits for.
///
/// # Errors
/// Why there is none.
pub fn respond(view: &View<'_>, request: &[u8], wrong_id: bool, out: &mut Vec<u8>) -> Result<(), Silence> {
    out.clear();
    let unreadable = || Silence::Unreadable;
    let mut message = Reader(Reader(request).expect(ber::SEQUENCE).ok_or_else(unreadable)?);
    let number = message.expect(ber::INTEGER).and_then(ber::integer).ok_or_else(unreadable)?;
    // The header of version 3 has another form from here on (RFC 3412 section 6).
    let is_spoken = |version: &Version| *version != Version::V3 && view.agent.versions.has(*version);
    let version = Version::of(number).filter(is_spoken).ok_or(Silence::Version(number))?;
    let community = message.expect(ber::OCTET_STRING).ok_or_else(unreadable)?;
    let (tag, content) = message.value().ok_or_else(unreadable)?;
    let pdu = Pdu::read(tag, content).ok_or_else(unreadable)?;
    if community != view.network.options.community.as_bytes() {
        return Err(Silence::Community);
    }
    // Around a PDU there are a header of four octets, the version's three, and the community.
    let room = view.agent.most_octets - 4 - 3 - 2 - community.len();
    let mut answered = Err(Silence::Unreadable);
    ber::value(out, ber::SEQUENCE, |out| {
        ber::number(out, ber::INTEGER, number);
        ber::octets(out, community);
        answered = answer(view, version, &pdu, room, wrong_id, out);
    });
    answered
}

/// A request: its numbers as they stand in it, and the names that it asks for.
#[derive(Debug, Clone, Copy)]
pub struct Pdu<'a> {
    tag: u8,
    id: &'a [u8],
    non_repeaters: i64,
    max_repetitions: i64,
    varbinds: &'a [u8],
}

impl<'a> Pdu<'a> {
    /// Reads a PDU from its tag and content.
    pub fn read(tag: u8, content: &'a [u8]) -> Option<Self> {
        let mut fields = Reader(content);
        let id = fields.expect(ber::INTEGER).filter(|id| (1..=4).contains(&id.len()))?;
        let non_repeaters = ber::integer(fields.expect(ber::INTEGER)?)?;
        let max_repetitions = ber::integer(fields.expect(ber::INTEGER)?)?;
        let varbinds = fields.expect(ber::SEQUENCE)?;
        Some(Self { tag, id, non_repeaters, max_repetitions, varbinds })
    }

    /// The names that it asks for; what is no name ends them.
    fn names(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut varbinds = Reader(self.varbinds);
        std::iter::from_fn(move || Reader(varbinds.expect(ber::SEQUENCE)?).expect(ber::OBJECT_IDENTIFIER))
    }
}

/// Appends the PDU that answers, of at most `room` octets.
///
/// # Errors
/// [`Silence::Unreadable`] for a PDU that is no request, or not of this version.
pub fn answer(
    view: &View<'_>,
    version: Version,
    pdu: &Pdu<'_>,
    room: usize,
    wrong_id: bool,
    out: &mut Vec<u8>,
) -> Result<(), Silence> {
    // Headers of four octets for the PDU and its variables, the id, and two numbers of an octet.
    let room = room.saturating_sub(4 + 4 + 2 + pdu.id.len() + 3 + 3);
    let mut list = List { view, version, start: 0, room, out: Vec::new() };
    std::mem::swap(&mut list.out, out);
    let begin = list.out.len();
    // Written where the list will be, and moved behind its headers below.
    list.start = begin;
    let told = match (pdu.tag, version) {
        (GET, _) => list.get(pdu),
        (GET_NEXT, _) => list.get_next(pdu),
        (GET_BULK, Version::V2c | Version::V3) => list.get_bulk(pdu),
        _ => Err(Failed::Silence),
    };
    std::mem::swap(&mut list.out, out);
    let (status, index) = match told {
        Ok(()) => (0, 0),
        Err(Failed::Silence) => return Err(Silence::Unreadable),
        Err(Failed::Error(status, index)) => {
            // What was asked goes back (RFC 1157 section 4.1.2); tooBig of v2c says nothing else
            // (RFC 3416 section 4.2.1).
            out.truncate(begin);
            if version == Version::V1 || status != TOO_BIG {
                out.extend_from_slice(pdu.varbinds);
            }
            (status, index)
        }
    };
    wrap(out, begin, pdu.id, wrong_id, status, index);
    Ok(())
}

/// Puts the list that begins at `begin` into a PDU.
fn wrap(out: &mut Vec<u8>, begin: usize, id: &[u8], wrong_id: bool, status: i64, index: i64) {
    let mut head = [0; 32];
    let list = out.len() - begin;
    let mut length = 0;
    let mut put = |octets: &[u8]| {
        head[length..length + octets.len()].copy_from_slice(octets);
        length += octets.len();
    };
    let long = |tag: u8, length: usize| [tag, 0x82, (length >> 8) as u8, length as u8];
    // Status and index fit into an octet each: there are fewer than 128 variables in a request that
    // is answered with an error, or the index is cut.
    let small = |number: i64| [ber::INTEGER, 1, number.clamp(0, 127) as u8];
    put(&long(RESPONSE, 2 + id.len() + 3 + 3 + 4 + list));
    put(&[ber::INTEGER, id.len() as u8]);
    let at = 4 + 2 + id.len() - 1;
    put(id);
    put(&small(status));
    put(&small(index));
    put(&long(ber::SEQUENCE, list));
    if wrong_id {
        head[at] ^= 0x40;
    }
    out.splice(begin..begin, head[..length].iter().copied());
}

/// Why a list is not written.
enum Failed {
    Silence,
    Error(i64, i64),
}

/// The variables of a response.
struct List<'v, 'n> {
    view: &'v View<'n>,
    version: Version,
    start: usize,
    room: usize,
    out: Vec<u8>,
}

impl List<'_, '_> {
    fn get(&mut self, pdu: &Pdu<'_>) -> Result<(), Failed> {
        for (place, name) in pdu.names().enumerate() {
            let found = self.view.get(arcs(name, &mut [0; ber::MOST_ARCS])?);
            match (found, self.version) {
                (Found::Object(object), _) => self.object(&object)?,
                (_, Version::V1) => return Err(Failed::Error(NO_SUCH_NAME, place as i64 + 1)),
                (Found::NoSuchInstance, _) => self.exception(name, NO_SUCH_INSTANCE)?,
                (Found::NoSuchObject, _) => self.exception(name, NO_SUCH_OBJECT)?,
            }
        }
        Ok(())
    }

    fn get_next(&mut self, pdu: &Pdu<'_>) -> Result<(), Failed> {
        for (place, name) in pdu.names().enumerate() {
            match self.view.next(arcs(name, &mut [0; ber::MOST_ARCS])?) {
                Some(object) => self.object(&object)?,
                None if self.version == Version::V1 => return Err(Failed::Error(NO_SUCH_NAME, place as i64 + 1)),
                None => self.exception(name, END_OF_MIB_VIEW)?,
            }
        }
        Ok(())
    }

    /// As many rows as fit (RFC 3416 section 4.2.3).
    fn get_bulk(&mut self, pdu: &Pdu<'_>) -> Result<(), Failed> {
        const MOST_REPEATERS: usize = 64;
        let once = pdu.non_repeaters.clamp(0, 1_000) as usize;
        for name in pdu.names().take(once) {
            self.one_further(name, None)?;
        }
        let mut reached = [None; MOST_REPEATERS];
        for row in 0..pdu.max_repetitions.clamp(0, 1_000) {
            let mut ended = true;
            for (name, reached) in pdu.names().skip(once).zip(&mut reached) {
                let from = if row == 0 { None } else { Some(*reached) };
                let before = self.out.len();
                match self.one_further(name, from) {
                    Ok(object) => *reached = object,
                    // What is there so far is the response, unless it would be empty.
                    Err(Failed::Error(TOO_BIG, _)) if before > self.start => return Ok(()),
                    Err(failed) => return Err(failed),
                }
                ended &= reached.is_none();
            }
            if ended {
                break;
            }
        }
        Ok(())
    }

    /// Appends what comes after a name, or after the object that was reached from it.
    fn one_further(&mut self, name: &[u8], reached: Option<Option<Object>>) -> Result<Option<Object>, Failed> {
        let mut room = [0; ber::MOST_ARCS];
        let next = match reached {
            None => self.view.next(arcs(name, &mut room)?),
            Some(Some(object)) => self.view.after(&object),
            Some(None) => None,
        };
        match next {
            Some(object) => self.object(&object)?,
            None => self.exception(name, END_OF_MIB_VIEW)?,
        }
        Ok(next)
    }

    fn object(&mut self, object: &Object) -> Result<(), Failed> {
        let view = self.view;
        self.varbind(|out| {
            view.write_name(object, out);
            view.write_value(object, out);
        })
    }

    fn exception(&mut self, name: &[u8], tag: u8) -> Result<(), Failed> {
        self.varbind(|out| {
            ber::value(out, ber::OBJECT_IDENTIFIER, |out| out.extend_from_slice(name));
            out.extend_from_slice(&[tag, 0]);
        })
    }

    fn varbind(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), Failed> {
        let before = self.out.len();
        ber::value(&mut self.out, ber::SEQUENCE, write);
        if self.out.len() - self.start > self.room {
            self.out.truncate(before);
            return Err(Failed::Error(TOO_BIG, 0));
        }
        Ok(())
    }
}

fn arcs<'b>(name: &[u8], room: &'b mut [u32; ber::MOST_ARCS]) -> Result<&'b [u32], Failed> {
    ber::arcs(name, room).ok_or(Failed::Silence)
}
