//! What can be wrong with a host.

/// Something that is wrong with a host in all that it says, or in all that it says by SNMP v3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    WrongId,
    ForeignSource,
    Malformed,
    Truncated,
    NonUtf8,
    Looping,
    /// Its clock runs away: no message is ever of its time.
    ClockDisagrees,
    /// It tells its clock wrongly as long as nobody can check that.
    ClockToldWrongly,
    /// Its user has another name.
    OtherUser,
    /// Its user has another password.
    OtherPassword,
    /// Its user has another authentication protocol.
    OtherProtocol,
    /// Its user has another password for privacy, and it discards what it cannot read.
    OtherPrivacy,
    /// The same, and it reports that.
    Undecryptable,
    /// Its user has no privacy.
    NoPrivacy,
    /// It starts again after its first answer.
    Reboots,
    /// What it authenticates was changed afterwards.
    WrongDigest,
    /// Its messages answer others than those that were asked.
    WrongMessageId,
}

impl Fault {
    /// Of every host.
    pub const OF_HOSTS: [Self; 4] = [Self::WrongId, Self::ForeignSource, Self::Malformed, Self::Truncated];

    /// Of those with an agent.
    pub const OF_AGENTS: [Self; 2] = [Self::NonUtf8, Self::Looping];

    /// Of those that speak SNMP v3. One has at most one of them.
    pub const OF_ENGINES: [Self; 11] = [
        Self::ClockDisagrees,
        Self::ClockToldWrongly,
        Self::OtherUser,
        Self::OtherPassword,
        Self::OtherProtocol,
        Self::OtherPrivacy,
        Self::Undecryptable,
        Self::NoPrivacy,
        Self::Reboots,
        Self::WrongDigest,
        Self::WrongMessageId,
    ];

    pub fn all() -> impl Iterator<Item = Self> {
        Self::OF_HOSTS.into_iter().chain(Self::OF_AGENTS).chain(Self::OF_ENGINES)
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::WrongId => "wrong_id",
            Self::ForeignSource => "foreign_source",
            Self::Malformed => "malformed",
            Self::Truncated => "truncated",
            Self::NonUtf8 => "non_utf8",
            Self::Looping => "looping",
            Self::ClockDisagrees => "clock_disagrees",
            Self::ClockToldWrongly => "clock_told_wrongly",
            Self::OtherUser => "other_user",
            Self::OtherPassword => "other_password",
            Self::OtherProtocol => "other_protocol",
            Self::OtherPrivacy => "other_privacy",
            Self::Undecryptable => "undecryptable",
            Self::NoPrivacy => "no_privacy",
            Self::Reboots => "reboots",
            Self::WrongDigest => "wrong_digest",
            Self::WrongMessageId => "wrong_message_id",
        }
    }

    /// Whether only a user with privacy can have it.
    pub const fn is_of_privacy(self) -> bool {
        matches!(self, Self::OtherPrivacy | Self::Undecryptable | Self::NoPrivacy)
    }
}

/// A set of faults.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults(u32);

impl Faults {
    pub const fn has(self, fault: Fault) -> bool {
        self.0 & (1 << fault as u32) != 0
    }

    /// Whether nobody can make sense of what it sends by ICMP and SNMP.
    pub fn spoil_replies(self) -> bool {
        Fault::OF_HOSTS.into_iter().any(|fault| self.has(fault))
    }

    /// The one of its engine.
    pub fn of_engine(self) -> Option<Fault> {
        Fault::OF_ENGINES.into_iter().find(|fault| self.has(*fault))
    }

    /// Whether nobody gets an answer by SNMP v3: the other faults of engines can be coped with.
    pub fn bar_users(self) -> bool {
        self.of_engine().is_some_and(|fault| !matches!(fault, Fault::ClockToldWrongly | Fault::Reboots))
    }

    pub fn iter(self) -> impl Iterator<Item = Fault> {
        Fault::all().filter(move |fault| self.has(*fault))
    }
}

impl Extend<Fault> for Faults {
    fn extend<I: IntoIterator<Item = Fault>>(&mut self, faults: I) {
        faults.into_iter().for_each(|fault| self.0 |= 1 << fault as u32);
    }
}
