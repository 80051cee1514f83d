//! How slow a client may be: it costs itself alone.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::{Stream, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep};

/// Bytes per second that a client takes or sends at least, once its patience is used up.
pub const LEAST_RATE: u32 = 10_000;
/// How long others wait for a client that sends.
pub const SENDING: Duration = Duration::from_secs(60);
/// How long for one that takes: what the system holds for it on the way moves in leaps of a megabyte.
pub const TAKING: Duration = Duration::from_secs(120);

/// Waiting for a client uses patience up, and every byte gives some of it back. So a client may pause, but not for ever, and
/// not again and again for the sake of a few bytes.
#[derive(Debug)]
pub struct Pace {
    most: Duration,
    left: Duration,
    since: Option<Instant>,
}

impl Pace {
    pub fn new(patience: Duration) -> Self {
        Self { most: patience, left: patience, since: None }
    }

    /// Somebody waits for the client; says until when.
    fn wait(&mut self, now: Instant) -> Instant {
        *self.since.get_or_insert(now) + self.left
    }

    /// So many bytes have moved.
    fn moved(&mut self, bytes: usize, now: Instant) {
        if let Some(since) = self.since.take() {
            self.left = self.left.saturating_sub(now - since);
        }
        let earned = Duration::from_secs(bytes as u64) / LEAST_RATE;
        self.left = (self.left + earned).min(self.most);
    }

    /// What `next` gives, if it comes in time; `size` says how much that was.
    pub async fn of<T>(&mut self, next: impl Future<Output = T>, size: impl FnOnce(&T) -> usize) -> Option<T> {
        let until = self.wait(Instant::now());
        let given = tokio::time::timeout_at(until, next).await.ok()?;
        self.moved(size(&given), Instant::now());
        Some(given)
    }
}

/// Hands items on to a client that may be slow: no faster than they are taken, and given up when they are taken too slowly.
/// Gives what has to be awaited somewhere for that, and what the client takes. `size` is that of an item; `late` is its last
/// one when it was too slow; `held` is kept until it is over.
pub fn hand_on<T, E>(
    items: impl Stream<Item = Result<T, E>> + Send,
    size: impl Fn(&T) -> usize + Send,
    late: impl FnOnce() -> E + Send,
    held: impl Send,
) -> (impl Future<Output = ()> + Send, impl Stream<Item = Result<T, E>> + Send)
where
    T: Send,
    E: Send,
{
    let (sender, receiver) = mpsc::channel(1);
    let work = async move {
        let _held = held;
        let mut items = std::pin::pin!(items);
        let mut pace = Pace::new(TAKING);
        loop {
            let item = tokio::select! {
                item = items.next() => item,
                // Nobody is there any more.
                () = sender.closed() => return,
            };
            let bytes = item.as_ref().and_then(|item| item.as_ref().ok()).map_or(0, &size);
            match pace.of(sender.reserve(), |_| bytes).await {
                // The end is said: what ends without it is not whole.
                Some(Ok(place)) => {
                    let ended = item.is_none();
                    place.send(item);
                    if ended {
                        return;
                    }
                }
                Some(Err(_)) | None => return,
            }
        }
    };
    let taken = futures::stream::unfold(Some((receiver, late)), |open| async move {
        let (mut receiver, late) = open?;
        match receiver.recv().await {
            Some(Some(item)) => Some((item, Some((receiver, late)))),
            Some(None) => None,
            None => Some((Err(late()), None)),
        }
    });
    (work, taken)
}

/// Bytes that tell the versions of HTTP apart.
const OPENING: usize = 24;

/// A connection that breaks when its client does not begin, or takes what is sent too slowly.
pub(crate) struct Paced<S> {
    stream: S,
    pace: Pace,
    /// While the client takes nothing.
    overdue: Option<Pin<Box<Sleep>>>,
    /// Until the client has said which HTTP it speaks: from there on, the protocol minds its time.
    silent: Option<Pin<Box<Sleep>>>,
    read: usize,
}

impl<S> Paced<S> {
    /// `begin`: how long a client may take for its first words.
    pub fn new(stream: S, begin: Duration, pace: Pace) -> Self {
        let silent = Some(Box::pin(tokio::time::sleep(begin)));
        Self { stream, pace, overdue: None, silent, read: 0 }
    }

    fn written(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(written) = written {
            self.overdue = None;
            self.pace.moved(*written.as_ref().unwrap_or(&0), Instant::now());
            return Poll::Ready(written);
        }
        let until = self.pace.wait(Instant::now());
        let overdue = self.overdue.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        ready!(overdue.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes too little")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let Some(silent) = &mut self.silent else { return read };
        if read.is_pending() {
            ready!(silent.as_mut().poll(cx));
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client says nothing")));
        }
        self.read += buffer.filled().len() - before;
        if self.read >= OPENING {
            self.silent = None;
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.written(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// Moves `bytes` each `pause` and says whether the client lasts for an hour.
    fn lasts(bytes: usize, pause: Duration) -> bool {
        let mut pace = Pace::new(Duration::from_secs(60));
        let began = Instant::now();
        let mut now = began;
        while now - began < Duration::from_secs(3600) {
            let until = pace.wait(now);
            now += pause;
            if until < now {
                return false;
            }
            pace.moved(bytes, now);
        }
        true
    }

    #[test]
    fn a_client_may_pause_but_not_dawdle() {
        for (bytes, seconds, expected) in [
            (10_000, 1, true),
            (500_000, 50, true),
            (2_000, 1, false),
            (9_000, 1, false),
            // A piece each minute is patience for nobody.
            (1, 59, false),
            (100_000_000, 61, false),
            (100_000_000, 59, true),
        ] {
            assert_eq!(lasts(bytes, Duration::from_secs(seconds)), expected, "{bytes} bytes each {seconds} s");
        }
    }

    #[test]
    fn time_in_which_nobody_waits_costs_nothing() {
        let mut pace = Pace::new(Duration::from_secs(60));
        let mut now = Instant::now();
        for _ in 0..100 {
            now += Duration::from_secs(3600);
            assert_eq!(pace.wait(now), now + Duration::from_secs(60));
            pace.moved(1, now);
        }
    }

    const SHORT: Duration = Duration::from_millis(200);
    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_connection_whose_client_takes_nothing_breaks() {
        let (near, _far) = tokio::io::duplex(1000);
        let mut paced = Paced::new(near, LONG, Pace::new(SHORT));
        let began = Instant::now();
        let error = paced.write_all(&[0; 2000]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(began.elapsed() >= SHORT);
    }

    #[tokio::test]
    async fn a_connection_whose_client_does_not_begin_breaks() {
        for (said, breaks) in [(0, true), (3, true), (OPENING, false)] {
            let (near, mut far) = tokio::io::duplex(1000);
            let mut paced = Paced::new(near, SHORT, Pace::new(LONG));
            far.write_all(&vec![b'P'; said]).await.unwrap();
            let mut sink = Vec::new();
            let read = tokio::time::timeout(SHORT * 3, paced.read_to_end(&mut sink)).await;
            assert_eq!(read.is_ok_and(|read| read.is_err()), breaks, "{said} bytes");
        }
    }
}
