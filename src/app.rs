//! Layer 6: what the program is made of: configuration, start, drain, and the verbs behind the
//! command line.

pub mod admin;
pub mod audit;
pub mod client;
pub mod clock;
pub mod config;
pub mod controller;
pub mod daemon;
pub mod demand;
pub mod entropy;
pub mod events;
pub mod failure;
pub mod folder;
pub mod forecast;
pub mod hierarchy;
pub mod inventory;
pub mod keys;
pub mod logging;
pub mod maintenance;
pub mod node;
pub mod policy;
pub mod privileges;
pub mod registry;
pub mod reload;
pub mod scan;
pub mod sd_notify;

pub mod signals;
pub mod since;
pub mod socket;
pub mod support;
pub mod tiers;
pub mod user;
mod watch;
pub mod ways;
