//! The signals that a daemon listens to.

use std::process::exit;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::warn;

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// To end: the name of the signal.
    End(&'static str),
    /// To read the configuration again.
    Reload,
    /// To discover now.
    Cycle,
}

/// The signals as they come.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    user: Signal,
}

impl Signals {
    /// Listens from now on: none of these ends the process by itself any more.
    ///
    /// # Errors
    /// When the system does not allow it.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            user: signal(SignalKind::user_defined1())?,
        })
    }

    /// Waits for the next one.
    pub async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::End("SIGTERM"),
            _ = self.interrupt.recv() => Asked::End("SIGINT"),
            _ = self.user.recv() => Asked::Cycle,
            _ = self.hangup.recv() => Asked::Reload,
        }
    }

    /// Ends the process at once when it is asked to end again.
    #[expect(clippy::disallowed_methods, reason = "who signals twice does not want to wait for what is in hand")]
    pub async fn second(&mut self) -> ! {
        let signal = tokio::select! {
            _ = self.terminate.recv() => libc::SIGTERM,
            _ = self.interrupt.recv() => libc::SIGINT,
        };
        warn!(signal, "second signal: ending at once");
        exit(128 + signal)
    }
}
