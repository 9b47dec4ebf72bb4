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

/// The signals that ask to end.
pub struct EndSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl EndSignals {
    /// Listens from now on: none of these ends the process by itself any more.
    ///
    /// # Errors
    /// When the system does not allow it.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for the next one, and tells its number.
    pub async fn next(&mut self) -> i32 {
        tokio::select! {
            _ = self.terminate.recv() => libc::SIGTERM,
            _ = self.interrupt.recv() => libc::SIGINT,
        }
    }

    /// Ends the process at once when it is asked to end again.
    #[expect(clippy::disallowed_methods, reason = "who signals twice does not want to wait for what is in hand")]
    pub async fn second(&mut self) -> ! {
        let signal = self.next().await;
        warn!(signal, "second signal: ending at once");
        exit(128 + signal)
    }
}

/// The signals as they come.
pub struct Signals {
    end: EndSignals,
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
            end: EndSignals::new()?,
            hangup: signal(SignalKind::hangup())?,
            user: signal(SignalKind::user_defined1())?,
        })
    }

    /// Waits for the next one.
    pub async fn next(&mut self) -> Asked {
        tokio::select! {
            signal = self.end.next() => Asked::End(if signal == libc::SIGTERM { "SIGTERM" } else { "SIGINT" }),
            _ = self.user.recv() => Asked::Cycle,
            _ = self.hangup.recv() => Asked::Reload,
        }
    }

    /// Ends the process at once when it is asked to end again.
    pub async fn second(&mut self) -> ! {
        self.end.second().await
    }
}
