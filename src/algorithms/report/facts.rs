//! Facts of devices in a stream: which are told, which are a reason to tell a device, and how.
//!
//! The NIB writes a fact when it changes, so most are told when they are written. Two kinds change in
//! every cycle, and would have every device told in every cycle: the uptime goes with what else is told
//! of its device, and by itself only when the agent started anew; for how long an address has been
//! silent is the Local Controller's own count.

use std::time::Duration;

use crate::domain::digest::Digest;
use crate::domain::fact::{Fact, FactKind, FactRow, FactVersions, Withheld};
use crate::wire::canonical::{self, CanonicalError};
use crate::wire::report::{ReportedFact, value_of};
use crate::wire::signature::sha256;

/// The most octets that the canonical JSON of a value has that is told: with its device and the frame
/// of an item it still fits into one. Longer ones, interface tables of some hundred rows, are told by
/// length and digest.
pub const LARGEST_FACT: usize = 64 * 1024;

/// An agent whose start seems to be so much later than it was has started anew: its clock and ours do
/// not differ by so much from cycle to cycle.
const RESTART: Duration = Duration::from_secs(60);

/// Whether the tier above is told of facts of this kind.
pub const fn is_told(kind: FactKind) -> bool {
    !matches!(kind, FactKind::SilentAddresses)
}

/// Whether facts of this kind are told whenever they change, so that both sides agree in them and the
/// state root shows whether they do.
pub const fn is_compared(kind: FactKind) -> bool {
    is_told(kind) && !matches!(kind, FactKind::SnmpUptime)
}

/// Whether a fact that was written is a reason to tell of its device. `before` is the newest fact of
/// its kind that there was.
pub fn is_news(before: Option<&FactRow>, after: &FactRow) -> bool {
    match after.fact.kind() {
        FactKind::SnmpUptime => before.is_none_or(|before| started_anew(before, after)),
        kind => is_compared(kind),
    }
}

fn started_anew(before: &FactRow, after: &FactRow) -> bool {
    match (started(before), started(after)) {
        (Some(before), Some(after)) => after.saturating_sub(before) > i64::try_from(RESTART.as_millis()).unwrap_or(0),
        _ => true,
    }
}

/// When an agent started, in milliseconds, by what it told of its uptime.
fn started(row: &FactRow) -> Option<i64> {
    let Fact::SnmpUptime(uptime) = row.fact else { return None };
    let up = i64::try_from(uptime.uptime_seconds.saturating_mul(1_000)).ok()?;
    row.observed_at.as_millis().checked_sub(up)
}

/// A fact as it is told; none of a kind that is not told. A value that is too long is withheld.
///
/// # Errors
/// [`CanonicalError`] for what has no canonical form.
pub fn told(row: &FactRow) -> Result<Option<ReportedFact>, CanonicalError> {
    let kind = row.fact.kind();
    if !is_told(kind) {
        return Ok(None);
    }
    let value = value_of(&row.fact).map(|value| canonical::value_to_bytes(&value)).transpose()?;
    let fact = match value {
        Some(value) if value.len() > LARGEST_FACT => {
            let octets = u32::try_from(value.len()).unwrap_or(u32::MAX);
            Fact::Withheld(Withheld { kind, octets, digest: sha256(&value) })
        }
        _ => row.fact.clone(),
    };
    let FactRow { source, protocol, observed_at, observer, .. } = row.clone();
    Ok(Some(ReportedFact { fact, source, protocol, observed_at, observer }))
}

/// What of the facts of a device goes into a state root: which values they have, by the times at which
/// those were observed. None where there is no fact that is compared.
///
/// # Errors
/// [`CanonicalError`]: never for these values.
pub fn digest(versions: &FactVersions) -> Result<Option<Digest>, CanonicalError> {
    if versions.is_empty() {
        return Ok(None);
    }
    let compared = versions.clone().of_kinds(is_compared);
    if compared.is_empty() { Ok(None) } else { canonical::digest(&compared).map(Some) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::device::DeviceId;
    use crate::domain::fact::{Interface, SnmpUptime};
    use crate::domain::time::Timestamp;

    fn row(second: i64, fact: Fact) -> FactRow {
        FactRow {
            device: DeviceId::from_number(1),
            fact,
            source: "10.0.1.2".to_owned(),
            protocol: None,
            observed_at: Timestamp::from_millis(second * 1_000),
            observer: None,
        }
    }

    fn uptime(second: i64, uptime_seconds: u64) -> FactRow {
        row(second, Fact::SnmpUptime(SnmpUptime { uptime_seconds }))
    }

    #[test]
    fn an_uptime_is_news_when_the_agent_started_anew() {
        let before = uptime(1_000, 500);
        assert!(is_news(None, &before));
        for (second, up, is_restart) in
            [(1_300, 800, false), (1_300, 741, false), (1_300, 900, false), (1_300, 7, true)]
        {
            assert_eq!(is_news(Some(&before), &uptime(second, up)), is_restart, "{second} {up}");
        }
        assert!(is_news(Some(&before), &uptime(1_300, u64::MAX)), "an uptime that no agent has");
    }

    #[test]
    fn every_kind_that_is_compared_is_told() {
        for kind in FactKind::ALL {
            assert!(is_told(kind) || !is_compared(kind), "{kind}");
        }
        assert!(told(&row(1, Fact::SilentAddresses([([10, 0, 0, 1].into(), 1)].into()))).unwrap().is_none());
    }

    #[test]
    fn a_value_that_is_too_long_is_told_by_its_length_and_digest() {
        let table = |rows: u32| {
            let name = |index| Some(format!("interface number {index} of this device"));
            let all = (0..rows).map(|index| Interface { index, name: name(index), ..Interface::default() });
            Fact::SnmpInterfaces(all.collect())
        };
        let short = told(&row(1, table(100))).unwrap().unwrap();
        assert_eq!(short.fact, table(100));
        let long = told(&row(1, table(10_000))).unwrap().unwrap();
        let Fact::Withheld(Withheld { kind, octets, digest }) = long.fact else { panic!("{long:?}") };
        let value = canonical::value_to_bytes(&value_of(&table(10_000)).unwrap()).unwrap();
        assert_eq!((kind, octets as usize, digest), (FactKind::SnmpInterfaces, value.len(), sha256(&value)));
        // Who is told it tells it again.
        let again = told(&row(1, long.fact.clone())).unwrap().unwrap();
        assert_eq!(again.fact, long.fact);
    }

    #[test]
    fn a_digest_says_which_values_are_known() {
        let of = |rows: &[FactRow]| digest(&rows.iter().collect()).unwrap();
        let system = |second| row(second, Fact::SnmpSystem(Default::default()));
        assert_eq!((of(&[]), of(&[uptime(1, 1)])), (None, None));
        assert_eq!(of(&[system(1)]), of(&[uptime(5, 5), system(1)]));
        assert_ne!(of(&[system(1)]), of(&[system(2)]));
        assert_ne!(of(&[system(1)]), of(&[FactRow { source: "10.0.1.3".to_owned(), ..system(1) }]));
    }
}
