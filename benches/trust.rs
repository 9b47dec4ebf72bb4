//! What trust costs: handshakes, envelopes, reports from below, and a hierarchy that is idle.

#[path = "trust/idle.rs"]
mod idle;
mod report;
#[path = "trust/segment.rs"]
mod segment;
#[path = "trust/site.rs"]
mod site;

fn main() -> anyhow::Result<()> {
    if !report::is_wanted() || idle::is_inside()? {
        return Ok(());
    }
    println!("{:?}", idle::measure()?);
    Ok(())
}
