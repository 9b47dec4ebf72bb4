//! Policy on its way from the Global Controller down: what is made, what is taken, who has it.
//!
//! ```text
//! Global Controller                Regional Controller              Local Controller
//!   set ─► commit ── POLICY_UPDATE ──► take ─► commit ── POLICY_UPDATE ──► take ─► commit
//!   catch_up ◄────── POLICY_ACK ──────        catch_up ◄─── POLICY_ACK ──────
//!            ◄────── POLICY_REQUEST ── after an absence ◄── POLICY_REQUEST ──
//! ```

pub mod distribution;
pub mod known;
pub mod set;
pub mod take;
