//! Log lines on their way to a stream: who has something to say never waits for who reads it.
//!
//! A thread of its own writes. A stream that nobody reads, or that has ended (a pipe whose reader is gone), costs lines
//! and nothing else: the server goes on. Lines that are lost are counted, and the log tells of them when it can.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// So many octets of lines wait at most.
const WAITING_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Lines are gathered for so long: to wake a thread for each costs a small command a fifth more time.
const GATHER_TIME: Duration = Duration::from_millis(10);
/// But for no more octets than so; and room for so many is kept when there are fewer.
const GATHER_BYTES: usize = 64 * 1024;

/// Takes lines; a copy takes them for the same stream.
#[derive(Debug, Clone)]
pub(super) struct Lines(Arc<Shared>);

/// When it is dropped, what was said is written, as far as somebody reads it in time.
#[derive(Debug)]
pub(super) struct Written {
    shared: Arc<Shared>,
    end_wait: Duration,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    lost: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    waiting: Waiting,
    /// The thread waits for a first line.
    is_idle: bool,
    is_writing: bool,
    is_ending: bool,
}

#[derive(Debug, Default)]
struct Waiting {
    octets: Vec<u8>,
    lines: u64,
}

impl Lines {
    /// Begins a thread that writes to a stream, and for which [`Written`] waits for so long.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn to(stream: impl Write + Send + 'static, end_wait: Duration) -> io::Result<(Self, Written)> {
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        std::thread::Builder::new().name("log".into()).spawn(move || of_thread.write_to(stream))?;
        Ok((Self(Arc::clone(&shared)), Written { shared, end_wait }))
    }

    /// Lines that could not be written, or for which there was no room, since the beginning.
    pub(super) fn lost(&self) -> u64 {
        self.0.lost.load(Ordering::Relaxed)
    }
}

impl Written {
    /// Takes a line, or lines, that are to be the last.
    pub(super) fn push(&self, line: &[u8]) {
        self.shared.push(line);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, line: &[u8]) {
        let mut state = self.lock();
        if state.waiting.octets.len() + line.len() > WAITING_BYTES_MAX {
            drop(state);
            self.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        state.waiting.octets.extend_from_slice(line);
        state.waiting.lines += 1;
        if state.is_idle || state.waiting.octets.len() >= GATHER_BYTES && !state.is_writing {
            state.is_idle = false;
            self.changed.notify_all();
        }
    }

    fn write_to(&self, mut stream: impl Write) {
        let mut told = 0;
        let mut written = Waiting::default();
        while self.next(&mut written) {
            if stream.write_all(&written.octets).and_then(|()| stream.flush()).is_err() {
                self.lost.fetch_add(written.lines, Ordering::Relaxed);
                continue;
            }
            let lost = self.lost.load(Ordering::Relaxed);
            if lost > told {
                tracing::warn!(lines = lost - told, "lines of this log are lost: nobody read them in time");
                told = lost;
            }
        }
    }

    /// Waits for lines and takes them all, in place of those that were there. False at the end.
    fn next(&self, lines: &mut Waiting) -> bool {
        lines.octets.clear();
        lines.octets.shrink_to(GATHER_BYTES);
        lines.lines = 0;
        let mut state = self.lock();
        state.is_writing = false;
        state.is_idle = state.waiting.lines == 0;
        if state.is_idle {
            self.changed.notify_all();
        }
        let nothing = |state: &mut State| state.waiting.lines == 0 && !state.is_ending;
        let state = self.changed.wait_while(state, nothing).unwrap_or_else(PoisonError::into_inner);
        let few = |state: &mut State| state.waiting.octets.len() < GATHER_BYTES && !state.is_ending;
        let gathered = self.changed.wait_timeout_while(state, GATHER_TIME, few);
        let (mut state, _) = gathered.unwrap_or_else(PoisonError::into_inner);
        state.is_writing = state.waiting.lines > 0;
        std::mem::swap(&mut state.waiting, lines);
        lines.lines > 0
    }
}

impl Write for Lines {
    /// A whole line, or lines; never fails.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.is_ending = true;
        self.shared.changed.notify_all();
        let unwritten = |state: &mut State| state.is_writing || state.waiting.lines > 0;
        // What nobody has read by then is lost with the program.
        drop(self.shared.changed.wait_timeout_while(state, self.end_wait, unwritten));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// Longer than a test takes: what it waits for has to come.
    const AN_HOUR: Duration = Duration::from_secs(3600);

    /// A stream that shows what is to be written, and then waits to be told how that goes.
    struct Reader {
        allowed: Receiver<io::Result<()>>,
        written: Sender<Vec<u8>>,
    }

    impl Write for Reader {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            // The test may have seen enough.
            let _ = self.written.send(octets.to_vec());
            self.allowed.recv().unwrap_or(Ok(()))?;
            Ok(octets.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn stream() -> (Reader, Sender<io::Result<()>>, Receiver<Vec<u8>>) {
        let ((allow, allowed), (written, read)) = (channel(), channel());
        (Reader { allowed, written }, allow, read)
    }

    #[test]
    fn lines_come_in_order_and_all_of_them_before_the_end() {
        let (stream, allow, read) = stream();
        drop(allow);
        let (mut lines, written) = Lines::to(stream, AN_HOUR).unwrap();
        let said: Vec<String> = (0..1000).map(|number| format!("line {number}\n")).collect();
        for line in &said {
            lines.write_all(line.as_bytes()).unwrap();
        }
        drop(written);
        assert_eq!(read.try_iter().flatten().collect::<Vec<_>>(), said.concat().into_bytes());
        assert_eq!(lines.lost(), 0);
    }

    #[test]
    fn who_says_something_does_not_wait_for_a_reader_and_what_finds_no_room_is_counted() {
        let (stream, allow, read) = stream();
        let (mut lines, written) = Lines::to(stream, AN_HOUR).unwrap();
        let line = [b'x'; 1024];
        // One batch may be with the thread, which waits to be allowed to write it; another one finds room.
        let most = 2 * WAITING_BYTES_MAX / line.len();
        for _ in 0..most + 1000 {
            lines.write_all(&line).unwrap();
        }
        let lost = lines.lost();
        assert!(lost >= 1000, "{lost}");
        drop(allow);
        drop(written);
        let octets: usize = read.try_iter().map(|octets| octets.len()).sum();
        assert_eq!(octets, (most + 1000) * line.len() - usize::try_from(lost).unwrap() * line.len());
    }

    #[test]
    fn a_stream_that_cannot_be_written_ends_nothing() {
        let (stream, allow, read) = stream();
        let (mut lines, written) = Lines::to(stream, AN_HOUR).unwrap();
        lines.write_all(b"lost\n").unwrap();
        assert_eq!(read.recv().unwrap(), b"lost\n");
        lines.write_all(b"read\n").unwrap();
        allow.send(Err(io::ErrorKind::BrokenPipe.into())).unwrap();
        drop(allow);
        drop(written);
        assert_eq!(read.try_recv().unwrap(), b"read\n");
        assert_eq!(lines.lost(), 1);
    }
}
