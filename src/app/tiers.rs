//! Which controller of a data folder is meant.
//!
//! With `--role all` each tier has a folder of its own below the data folder: `global`, `regional`,
//! `local`. Otherwise the data folder is that of its one controller.

use std::path::PathBuf;

use anyhow::anyhow;

use crate::app::config::NibSettings;
use crate::app::failure::Failure;
use crate::app::inventory::open;
use crate::domain::controller::{ControllerId, Role};
use crate::nib::RegistryReader;

/// The tiers that have folders, the one first that is meant when nobody says.
const TIERS: [Role; 3] = [Role::Global, Role::Regional, Role::Local];

/// Where the NIB of the controller is that `wanted` names: `global`, `regional`, `local`, or a
/// controller's name. Without a wish it is the topmost one.
///
/// # Errors
/// [`Failure::Usage`] when there is no such controller here.
pub fn chosen(nib: NibSettings, wanted: Option<&str>) -> Result<NibSettings, Failure> {
    let mut there: Vec<(Option<Role>, PathBuf)> =
        TIERS.into_iter().map(|tier| (Some(tier), of_tier(&nib, tier))).filter(|(_, path)| path.exists()).collect();
    if there.is_empty() {
        there.push((None, nib.path.clone()));
    }
    let Some(wanted) = wanted else {
        return Ok(there.into_iter().next().map_or(nib, |(_, path)| NibSettings { path }));
    };
    let tier = wanted.parse::<Role>().ok().filter(|role| TIERS.contains(role));
    if let Some((_, path)) = there.iter().find(|(place, _)| tier.is_some() && *place == tier) {
        return Ok(NibSettings { path: path.clone() });
    }
    let name = wanted.parse::<ControllerId>().map_err(Failure::usage)?;
    let mut known = Vec::new();
    for (place, path) in there {
        let membership = open(&path).map_err(Failure::usage)?.membership().map_err(Failure::failed)?;
        match membership {
            // A folder that is that of one controller only has no tier of its own.
            Some(own) if own.id == name || (place.is_none() && tier == Some(own.role)) => {
                return Ok(NibSettings { path });
            }
            own => known.extend(own.map(|own| own.id.to_string()).or(place.map(|place| place.to_string()))),
        }
    }
    let known = if known.is_empty() { "one that has no name yet".to_owned() } else { known.join(", ") };
    Err(Failure::Usage(anyhow!("no controller {wanted} works in {}; there is {known}", nib.data_dir().display())))
}

/// The NIB of each controller of a data folder, the topmost first; the tier where there are several.
pub fn all(nib: &NibSettings) -> Vec<(Option<Role>, NibSettings)> {
    let there = TIERS.into_iter().map(|tier| (Some(tier), NibSettings { path: of_tier(nib, tier) }));
    let there: Vec<_> = there.filter(|(_, nib)| nib.path.exists()).collect();
    if there.is_empty() { vec![(None, nib.clone())] } else { there }
}

/// The NIBs of the controllers above this one in the same data folder, the nearest first: with
/// `--role all` those of the tiers whose folders are beside this one's.
pub fn above(nib: &NibSettings) -> Vec<PathBuf> {
    let folder = nib.data_dir();
    let tier = folder.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse::<Role>().ok());
    let (Some(tier), Some(all), Some(file)) = (tier, folder.parent(), nib.path.file_name()) else { return Vec::new() };
    let place = TIERS.iter().position(|other| *other == tier).unwrap_or_default();
    let above = TIERS.into_iter().take(place);
    let mut found: Vec<_> =
        above.map(|other| all.join(other.as_str()).join(file)).filter(|path| path.exists()).collect();
    found.reverse();
    found
}

/// Where the NIB of a tier is, with `--role all`.
pub fn of_tier(nib: &NibSettings, tier: Role) -> PathBuf {
    let file = nib.path.file_name().unwrap_or_default();
    nib.data_dir().join(tier.as_str()).join(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn folder_of(tiers: &[&str]) -> (tempfile::TempDir, NibSettings) {
        let folder = tempfile::tempdir().unwrap();
        for tier in tiers {
            fs::create_dir(folder.path().join(tier)).unwrap();
            fs::write(folder.path().join(tier).join("pdsno.db"), "").unwrap();
        }
        let nib = NibSettings { path: folder.path().join("pdsno.db") };
        (folder, nib)
    }

    #[test]
    fn without_tiers_the_folder_is_that_of_its_controller() {
        let (_folder, nib) = folder_of(&[]);
        assert_eq!(chosen(nib.clone(), None).unwrap(), nib);
    }

    #[test]
    fn of_several_tiers_the_topmost_is_meant_unless_one_is_named() {
        let (folder, nib) = folder_of(&["global", "regional", "local"]);
        let at = |tier: &str| NibSettings { path: folder.path().join(tier).join("pdsno.db") };
        assert_eq!(chosen(nib.clone(), None).unwrap(), at("global"));
        for tier in ["global", "regional", "local"] {
            assert_eq!(chosen(nib.clone(), Some(tier)).unwrap(), at(tier));
        }
        let (folder, nib) = folder_of(&["regional", "local"]);
        assert_eq!(chosen(nib, None).unwrap().path, folder.path().join("regional/pdsno.db"));
    }

    #[test]
    fn those_above_are_in_the_folders_beside() {
        let (folder, _) = folder_of(&["global", "regional", "local"]);
        let at = |tier: &str| NibSettings { path: folder.path().join(tier).join("pdsno.db") };
        assert_eq!(above(&at("local")), [at("regional").path, at("global").path]);
        assert_eq!(above(&at("regional")), [at("global").path]);
        assert!(above(&at("global")).is_empty() && above(&at("elsewhere")).is_empty());
        let (folder, _) = folder_of(&["global", "local"]);
        let local = NibSettings { path: folder.path().join("local/pdsno.db") };
        assert_eq!(above(&local), [folder.path().join("global/pdsno.db")]);
    }

    #[test]
    fn what_names_no_controller_is_bad_usage() {
        let (_folder, nib) = folder_of(&["global"]);
        let refusal = chosen(nib, Some("the first")).unwrap_err();
        assert!(matches!(refusal, Failure::Usage(_)), "{refusal}");
    }
}
