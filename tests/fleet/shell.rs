//! The fleet behind a TAP interface: one thread, which reads frames, and sends replies when they are
//! due.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use anyhow::Context;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tappers::{Interface, Tap};

use crate::answer::{Counters, Fleet};
use crate::queue::Queue;
use crate::storm::Storm;

/// Longer than any frame of an interface without offloads.
const LONGEST_FRAME: usize = 16_384;

/// Frames that are read before those that are due leave.
const FRAMES_AT_ONCE: usize = 256;

/// How soon an interface that is down is looked at again.
const WHILE_DOWN: Duration = Duration::from_millis(1);

/// Makes a TAP interface of this name, prints "ready", and answers what comes from it until standard
/// input ends or somebody sends SIGTERM or SIGINT. The interface goes with it; its address and state
/// are the caller's to set.
///
/// # Errors
/// When there is no such interface to be had, as without CAP_NET_ADMIN.
pub fn run(mut fleet: Fleet, name: &str) -> anyhow::Result<Counters> {
    let tap = Interface::new(name).and_then(Tap::new_named);
    let mut tap = tap.with_context(|| format!("cannot make the TAP interface {name}"))?;
    tap.set_nonblocking(true).context("cannot read without waiting")?;
    let ends = ending_signals().context("cannot take signals")?;
    println!("ready");
    io::stdout().flush()?;
    let started = now();
    let mut queue = Queue::default();
    let mut frame = vec![0; LONGEST_FRAME];
    let mut storm = Storm::new(&fleet.network);
    loop {
        let time = started.elapsed();
        queue.leave(time, |frame| fleet.counters.undelivered += u64::from(tap.send(frame).is_err()));
        storm.blow(time, |frame| match tap.send(frame) {
            Ok(_) => fleet.counters.unsolicited += 1,
            Err(_) => fleet.counters.undelivered += 1,
        });
        let wait = match read(&tap, &mut frame, |frame| {
            storm.heard(time, frame);
            fleet.on_frame(time, frame, &mut |delay, reply| queue.push(time + delay, reply));
        }) {
            Reading::More => continue,
            Reading::Empty => {
                let due = [queue.next_due(), storm.next_due()].into_iter().flatten().min();
                due.map(|due| due.saturating_sub(started.elapsed()))
            }
            Reading::Down => Some(WHILE_DOWN),
        };
        fleet.counters.most_waiting = fleet.counters.most_waiting.max(queue.len() as u64);
        if wait.is_none_or(|wait| !wait.is_zero()) && ended(&tap, &ends, wait)? {
            return Ok(fleet.counters);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "replies leave by the machine's clock")]
fn now() -> Instant {
    Instant::now()
}

fn ending_signals() -> nix::Result<SignalFd> {
    let signals: SigSet = [Signal::SIGTERM, Signal::SIGINT].into_iter().collect();
    signals.thread_block()?;
    SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
}

/// What is left to read.
enum Reading {
    More,
    Empty,
    Down,
}

fn read(tap: &Tap, room: &mut [u8], mut take: impl FnMut(&[u8])) -> Reading {
    for _ in 0..FRAMES_AT_ONCE {
        match tap.recv(room) {
            Ok(length) => take(&room[..length]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Reading::Empty,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // EIO as long as nobody has set it up.
            Err(_) => return Reading::Down,
        }
    }
    Reading::More
}

/// Waits for a frame, the end, or so long; `true` for the end.
fn ended(tap: &Tap, signals: &SignalFd, wait: Option<Duration>) -> io::Result<bool> {
    let stdin = io::stdin();
    let wait = wait.map(|wait| Timespec { tv_sec: wait.as_secs().cast_signed(), tv_nsec: wait.subsec_nanos().into() });
    let (tap, signals, input) = (tap.as_fd(), signals.as_fd(), stdin.as_fd());
    let mut ready =
        [PollFd::new(&tap, PollFlags::IN), PollFd::new(&signals, PollFlags::IN), PollFd::new(&input, PollFlags::IN)];
    match poll(&mut ready, wait.as_ref()) {
        Ok(_) => {}
        Err(rustix::io::Errno::INTR) => return Ok(false),
        Err(error) => return Err(error.into()),
    }
    let [_, signal, input] = ready;
    let closed = !input.revents().is_empty() && stdin.lock().read(&mut [0; 512])? == 0;
    Ok(closed || !signal.revents().is_empty())
}
