//! The view of a Regional or Global Controller: what the controllers below tell, applied once and in
//! order, one row a device (discovery stages 7 to 13).
//!
//! Who told of which device is a sighting. Everything that a row says about who has the device follows
//! from the sightings alone, so it does not matter in which order the reports of several controllers
//! come: the one owns it where it is there and was seen last.

pub mod absorb;
pub mod draft;
mod facts;
mod merge;
pub mod overdue;
pub mod summary;
mod tell;

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
