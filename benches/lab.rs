//! The lab of the benches: a /24 with 150 live hosts, 60 of them with snmpd.

#[expect(dead_code, reason = "the handle also serves the tests; the benches live inside of the lab that they build")]
#[path = "../tests/lab/handle.rs"]
pub mod handle;

use std::env;
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};
pub use handle::Truth;

/// The subnet.
pub const SUBNET: &str = "10.0.1.0/24";
/// Live hosts.
pub const HOSTS: usize = 150;
/// Of these, with an SNMP agent.
pub const AGENTS: usize = 60;

/// What the bench is called with in the lab.
const INSIDE: &str = "inside";

/// Builds the lab, runs this program once more in its scanner, where it runs `measure`, and takes
/// the lab down.
pub fn within(measure: impl FnOnce(&Truth) -> anyhow::Result<()>) -> anyhow::Result<()> {
    if env::args().any(|argument| argument == INSIDE) {
        let truth = Command::new(handle::script()).arg("truth").stderr(Stdio::inherit()).output()?;
        ensure!(truth.status.success(), "lab.sh truth: {}", truth.status);
        return measure(&serde_json::from_slice(&truth.stdout).context("the lab's truth cannot be read")?);
    }
    let numbers = ["--hosts", &HOSTS.to_string(), "--snmp", &AGENTS.to_string(), "--silent", "0"].map(str::to_owned);
    let mut lab = Command::new(handle::script());
    lab.arg("run").args(numbers).args(["--subnet", SUBNET, "--"]);
    let status = lab.arg(env::current_exe()?).args(["--bench", INSIDE]).status().context("the lab cannot be built")?;
    if !status.success() {
        bail!("not measured: {status}");
    }
    Ok(())
}
