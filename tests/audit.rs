//! The event log between controllers and for outsiders: heads, witnesses, exports and proofs.

#[path = "audit/anchoring.rs"]
mod anchoring;
#[path = "audit/handed_over.rs"]
mod handed_over;
#[path = "audit/scene.rs"]
mod scene;
