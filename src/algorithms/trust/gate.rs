//! What a message must pass before anybody acts on it.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::algorithms::trust::directory::{Directory, Switched};
use crate::algorithms::trust::refusal::Refusal;
use crate::algorithms::trust::replay::{self, ReplayCache};
use crate::algorithms::trust::sequence::{self, SequenceWindows};
use crate::domain::certificate::Certificate;
use crate::domain::controller::ControllerId;
use crate::domain::key::PublicKey;
use crate::domain::message::{MessageType, Topic};
use crate::domain::number::Epoch;
use crate::domain::time::Timestamp;
use crate::wire::canonical::Malformed;
use crate::wire::envelope::{Body, Destination, Header, Message, Sealed, read};

/// How far ahead of the receiver's clock a message may be.
pub const AHEAD: Duration = Duration::from_secs(60);

/// How old a message may be, unless policy says otherwise.
pub const FRESHNESS: Duration = Duration::from_secs(300);

/// The messages of one sender that are remembered; 45 a second can be sustained.
const REPLAY_QUOTA: usize = 16_384;

/// Where and how a message arrived.
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'a> {
    /// The address that it came from, as the carrier knows it.
    pub source: &'a str,
    /// Whose connection it came over, where the carrier knows that.
    pub peer: Option<&'a ControllerId>,
    /// The receiver's clock.
    pub now: Timestamp,
}

/// The checks of one receiver, and what it remembers for them.
///
/// Memory does not outlive the process. So a message that was made before the start is refused: it
/// may have been taken by the run before. (Where a sender's clock is ahead, by [`AHEAD`] at most, a
/// message taken just before the end can be replayed just after the start; what must not happen
/// twice has its own guard in the NIB.)
#[derive(Debug)]
pub struct Gate {
    own: ControllerId,
    topics: BTreeSet<Topic>,
    freshness: Duration,
    started_at: Timestamp,
    replay: ReplayCache,
    sequences: SequenceWindows,
}

/// A message that passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened<B> {
    /// The message.
    pub message: Message<B>,
    /// The sender's certificate; none when the message is one by which controllers come to know each
    /// other, so that it proves a key and nothing else.
    pub sender: Option<Certificate>,
    /// Set when the sender used its next certificate for the first time.
    pub switched: Option<Switched>,
}

/// A message that did not.
#[derive(Debug, thiserror::Error)]
#[error("a message was refused")]
pub struct Refused {
    /// Why.
    #[source]
    pub refusal: Refusal,
    /// The key that it named, if it could be read so far; the key signed it only if `header` is here.
    pub key: Option<PublicKey>,
    /// What its signer said about it, once that was read.
    pub header: Option<Box<Header>>,
}

impl Gate {
    /// The gate of a controller with this name that starts now and takes messages so old.
    pub fn new(own: ControllerId, freshness: Duration, started_at: Timestamp) -> Self {
        Self {
            own,
            topics: BTreeSet::new(),
            freshness,
            started_at,
            replay: ReplayCache::new(freshness + AHEAD, REPLAY_QUOTA),
            sequences: SequenceWindows::default(),
        }
    }

    /// Takes what is for this name from now on: a newcomer has been given one.
    pub fn rename(&mut self, own: ControllerId) {
        self.own = own;
    }

    /// Takes what is for a topic, too.
    pub fn listen(&mut self, topic: Topic) {
        self.topics.insert(topic);
    }

    /// Reads the outer form of what arrived, to know what it is; [`Gate::open`] is next.
    ///
    /// # Errors
    /// [`Refused`] with [`Refusal::Envelope`].
    pub fn read(bytes: &[u8]) -> Result<Sealed, Refused> {
        let refused = |source: Malformed| Refused { refusal: Refusal::Envelope(source), key: None, header: None };
        read(bytes).map_err(refused)
    }

    /// Opens a message when it passes: sender known, signature, contents, recipient, peer, timestamp,
    /// epoch, replay, sequence, in this order. What is remembered changes only after the signature
    /// was verified.
    ///
    /// A message by which controllers come to know each other is taken from every key that is not
    /// blocked, revoked or locked, and its epoch, id and number are not looked at: who asks whom to
    /// be let in knows none of it, and each such exchange has nonces of its own. To a newcomer a
    /// refusal is such a message, too.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn open<B: Body>(
        &mut self,
        sealed: &Sealed,
        directory: &mut Directory,
        epoch: Epoch,
        arrival: Arrival<'_>,
    ) -> Result<Opened<B>, Refused> {
        let key = *sealed.key();
        let refused = |refusal| Refused { refusal, key: Some(key), header: None };
        let sender = self.sender(sealed, directory, arrival).map_err(refused)?;
        let message: Message<B> = sealed.open().map_err(|error| refused(Refusal::Contents(error)))?;
        let passed = self.check(&message.header, sender.as_ref(), epoch, arrival);
        if let Err(refusal) = passed {
            if let Refusal::Cloned { sender } = &refusal {
                directory.lock(sender);
            }
            return Err(Refused { refusal, key: Some(key), header: Some(Box::new(message.header)) });
        }
        let switched = if sender.is_some() { directory.used(&key) } else { None };
        Ok(Opened { message, sender, switched })
    }

    fn sender(
        &self,
        sealed: &Sealed,
        directory: &Directory,
        arrival: Arrival<'_>,
    ) -> Result<Option<Certificate>, Refusal> {
        let key = sealed.key();
        if directory.is_blocked(key, arrival.source) {
            return Err(Refusal::Blocklisted);
        }
        // A newcomer knows nobody, and is told in the same way why it was not heard.
        let is_for_newcomers = self.own.is_newcomer() && sealed.message_type() == MessageType::MessageRefused;
        if sealed.message_type().introduces() || is_for_newcomers {
            return directory.check_newcomer(key).map(|()| None);
        }
        directory.look_up(key, arrival.now).map(|certificate| Some(certificate.clone()))
    }

    fn check(
        &mut self,
        header: &Header,
        sender: Option<&Certificate>,
        epoch: Epoch,
        arrival: Arrival<'_>,
    ) -> Result<(), Refusal> {
        let claimed = &header.sender_id;
        if let Some(known) = sender
            && known.controller_id != *claimed
        {
            return Err(Refusal::SenderMismatch { claimed: claimed.clone(), owner: known.controller_id.clone() });
        }
        let is_here = match &header.destination {
            Destination::Controller(recipient) => *recipient == self.own,
            Destination::Topic(topic) => self.topics.contains(topic),
        };
        if !is_here {
            return Err(Refusal::WrongRecipient);
        }
        if let Some(peer) = arrival.peer
            && peer != claimed
        {
            return Err(Refusal::PeerMismatch { claimed: claimed.clone(), peer: peer.clone() });
        }
        self.check_time(header.timestamp, arrival.now)?;
        if sender.is_some() {
            check_epoch(header.epoch, epoch)?;
            self.remember(header, arrival.now)?;
        }
        Ok(())
    }

    fn check_time(&self, timestamp: Timestamp, now: Timestamp) -> Result<(), Refusal> {
        let (age, ahead) = (now.since(timestamp), timestamp.since(now));
        if age > self.freshness {
            return Err(Refusal::Stale { age, window: self.freshness });
        }
        if ahead > AHEAD {
            return Err(Refusal::Future { ahead, window: AHEAD });
        }
        Ok(())
    }

    fn remember(&mut self, header: &Header, now: Timestamp) -> Result<(), Refusal> {
        if header.timestamp < self.started_at {
            return Err(Refusal::PrecedesStart);
        }
        let sender = || header.sender_id.clone();
        self.replay.admit(&header.sender_id, header.message_id, header.timestamp, now).map_err(|why| match why {
            replay::Refusal::Replayed => Refusal::Replayed,
            replay::Refusal::Full => Refusal::TooManyMessages { sender: sender() },
        })?;
        self.sequences.admit(&header.sender_id, header.boot_id, header.seq, header.timestamp).map_err(|why| match why {
            sequence::Refusal::Repeated => Refusal::Replayed,
            sequence::Refusal::Behind | sequence::Refusal::EarlierRun => Refusal::OutOfSequence,
            sequence::Refusal::Cloned => Refusal::Cloned { sender: sender() },
        })
    }
}

fn check_epoch(found: Epoch, known: Epoch) -> Result<(), Refusal> {
    if found == Epoch::default() {
        return Err(Refusal::EpochMissing);
    }
    match found.cmp(&known) {
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Less => Err(Refusal::EpochStale { found, known }),
        std::cmp::Ordering::Greater => Err(Refusal::EpochUnknown { found, known }),
    }
}

#[cfg(test)]
mod tests;
