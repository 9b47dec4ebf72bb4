//! The signals that a daemon listens to.

use std::pin::pin;
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
    first: First,
}

/// The first signal, after which there is only a second one.
enum First {
    Awaited,
    /// It came while something went on that it cannot end.
    Held(i32),
    Told,
}

impl EndSignals {
    /// Listens from now on: none of these ends the process by itself any more.
    ///
    /// # Errors
    /// When the system does not allow it.
    pub fn new() -> std::io::Result<Self> {
        let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        Ok(Self { terminate, interrupt, first: First::Awaited })
    }

    /// Waits for the next one, and tells its number.
    pub async fn next(&mut self) -> i32 {
        let signal = match self.first {
            First::Held(signal) => signal,
            First::Awaited | First::Told => self.come().await,
        };
        self.first = First::Told;
        signal
    }

    async fn come(&mut self) -> i32 {
        tokio::select! {
            _ = self.terminate.recv() => libc::SIGTERM,
            _ = self.interrupt.recv() => libc::SIGINT,
        }
    }

    /// Sees work to its end that no first signal breaks off: [`EndSignals::next`] tells it afterwards. A
    /// second one ends the process at once.
    pub async fn during<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        if matches!(self.first, First::Awaited) {
            tokio::select! {
                done = &mut work => return done,
                signal = self.come() => self.first = First::Held(signal),
            }
        }
        tokio::select! {
            done = work => done,
            never = self.second() => never,
        }
    }

    /// Ends the process at once when it is asked to end again.
    #[expect(clippy::disallowed_methods, reason = "who signals twice does not want to wait for what is in hand")]
    pub async fn second(&mut self) -> ! {
        let signal = self.come().await;
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
