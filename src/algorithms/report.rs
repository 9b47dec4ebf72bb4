//! What goes up: the items of a controller's stream, made in the commit that changes its devices, and
//! when they are sent.

pub mod cycle;
pub mod facts;
pub mod items;
pub mod pace;
pub mod root;
pub mod sharing;
