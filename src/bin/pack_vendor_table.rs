//! Packs the IEEE's registry files into the vendor table that ships with the program.
//!
//! `pack_vendor_table <packed file> <registry.csv>…`, for example with MA-L, MA-M, MA-S and IAB as
//! published at <https://standards-oui.ieee.org/>. The same files give the same octets.

use std::path::PathBuf;
use std::{env, fs};

use anyhow::{Context, ensure};
use pdsno::algorithms::discovery::vendor::registry::Registrations;

fn main() -> anyhow::Result<()> {
    let mut arguments = env::args_os().skip(1).map(PathBuf::from);
    let packed = arguments.next().context("usage: pack_vendor_table <packed file> <registry.csv>...")?;
    let mut registrations = Registrations::default();
    for path in arguments {
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        registrations.add_ieee_csv(&text).with_context(|| format!("{} is not a registry file", path.display()))?;
    }
    let table = registrations.into_table();
    ensure!(!table.is_empty(), "no registrations were given, so {} is left as it is", packed.display());
    fs::write(&packed, table.pack()).with_context(|| format!("cannot write {}", packed.display()))?;
    println!("{}: {} prefixes", packed.display(), table.len());
    Ok(())
}
