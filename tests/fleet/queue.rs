//! Frames that wait for their time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

/// Frames by when they leave, and of one time in the order in which they came. What held one that
/// left holds another one later, so that a busy fleet allocates nothing.
#[derive(Debug, Default)]
pub struct Queue {
    order: BinaryHeap<Reverse<(Duration, u64, usize)>>,
    frames: Vec<Vec<u8>>,
    free: Vec<usize>,
    taken: u64,
}

impl Queue {
    /// Keeps a copy of a frame until it is due.
    pub fn push(&mut self, due: Duration, frame: &[u8]) {
        let place = self.free.pop().unwrap_or_else(|| {
            self.frames.push(Vec::new());
            self.frames.len() - 1
        });
        let room = &mut self.frames[place];
        room.clear();
        room.extend_from_slice(frame);
        self.order.push(Reverse((due, self.taken, place)));
        self.taken += 1;
    }

    /// Hands over all frames that are due.
    pub fn leave(&mut self, now: Duration, mut send: impl FnMut(&[u8])) {
        while let Some(Reverse((due, _, place))) = self.order.peek().copied()
            && due <= now
        {
            send(&self.frames[place]);
            self.free.push(place);
            self.order.pop();
        }
    }

    /// When the first frame is due.
    pub fn next_due(&self) -> Option<Duration> {
        self.order.peek().map(|Reverse((due, ..))| *due)
    }

    /// How many frames wait.
    pub fn len(&self) -> usize {
        self.order.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(queue: &mut Queue, now: u64) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        queue.leave(Duration::from_millis(now), |frame| frames.push(frame.to_vec()));
        frames
    }

    #[test]
    fn frames_leave_when_they_are_due_and_in_order() {
        let mut queue = Queue::default();
        for (due, frame) in [(5, b"late"), (2, b"more"), (2, b"next"), (1, b"soon")] {
            queue.push(Duration::from_millis(due), frame);
        }
        assert_eq!(queue.next_due(), Some(Duration::from_millis(1)));
        assert_eq!(left(&mut queue, 0), [b""; 0]);
        assert_eq!(left(&mut queue, 2), [b"soon", b"more", b"next"]);
        assert_eq!((queue.len(), queue.next_due()), (1, Some(Duration::from_millis(5))));
        queue.push(Duration::from_millis(3), b"x");
        assert_eq!(left(&mut queue, 9), [b"x".as_slice(), b"late"]);
        assert_eq!(queue.frames.len(), 4, "rooms are used again");
    }
}
