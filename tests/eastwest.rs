//! Controllers that talk over the bus: what passes, what is refused, and what goes wrong on the way.

#[path = "eastwest/bus.rs"]
mod bus;
#[path = "eastwest/faults.rs"]
mod faults;
#[path = "eastwest/hand.rs"]
mod hand;
#[path = "eastwest/malformed.rs"]
mod malformed;
#[path = "eastwest/names.rs"]
mod names;
#[path = "eastwest/node.rs"]
mod node;
#[path = "eastwest/refusals.rs"]
mod refusals;
#[path = "eastwest/registered.rs"]
mod registered;
#[path = "eastwest/replays.rs"]
mod replays;
