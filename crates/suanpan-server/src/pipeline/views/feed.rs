//! How durable records come to the views: in memory while the views keep up, otherwise from the
//! journal. Commits never wait for views.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use suanpan_engine::sequencer::Record;
use tokio::sync::watch;

/// Bytes of records that are kept for views that are behind; beyond, they read the journal.
const KEPT_BYTES: usize = 16 << 20;

/// How long the views go on after a stop was asked; what is missing then is folded at the start.
const LAST_WORK: Duration = Duration::from_secs(3);

/// How long records are gathered into one transaction while nobody waits for them.
const GATHER: Duration = Duration::from_millis(50);

/// Records on their way to the views.
pub(crate) struct ViewFeed {
    inner: Mutex<Inner>,
    woken: Condvar,
    /// The last record that readers of the views see.
    pub(crate) seen: watch::Sender<u64>,
}

#[derive(Default)]
struct Inner {
    kept: VecDeque<Arc<Record>>,
    kept_bytes: usize,
    durable: u64,
    wanted: u64,
    closed: Option<Instant>,
}

/// Whether there is time for more.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Time {
    /// There is.
    Left,
    /// The views are to end where they are.
    Over,
}

/// What the views do next.
pub(crate) enum Work {
    /// Fold these: they follow on what was folded.
    Fold(Vec<Arc<Record>>),
    /// Read the journal up to this record: what was in memory was dropped.
    Read(u64),
    /// Stop.
    Close,
}

impl ViewFeed {
    pub(crate) fn new(durable: u64) -> ViewFeed {
        ViewFeed {
            inner: Mutex::new(Inner { durable, ..Inner::default() }),
            woken: Condvar::new(),
            seen: watch::Sender::new(0),
        }
    }

    /// Records that are durable now.
    pub(crate) fn offer(&self, records: Vec<Arc<Record>>, bytes: usize) {
        let Some(last) = records.last().map(|record| record.seq) else { return };
        let mut inner = self.lock();
        inner.durable = last;
        if inner.kept_bytes + bytes > KEPT_BYTES {
            inner.kept.clear();
            inner.kept_bytes = 0;
        } else {
            inner.kept.extend(records);
            inner.kept_bytes += bytes;
        }
        drop(inner);
        self.woken.notify_one();
    }

    /// Somebody waits for this record: no more gathering before it.
    pub(crate) fn want(&self, seq: u64) {
        let mut inner = self.lock();
        if seq > inner.wanted {
            inner.wanted = seq;
            self.woken.notify_one();
        }
    }

    pub(crate) fn close(&self) {
        self.lock().closed = Some(Instant::now());
        self.woken.notify_one();
    }

    /// Waits for work of views that have folded all records up to `folded`. Once closed, what is
    /// durable is still folded before [`Work::Close`].
    pub(crate) fn work(&self, folded: u64) -> Work {
        let inner = self.lock();
        let inner = self
            .woken
            .wait_while(inner, |inner| inner.durable <= folded && inner.closed.is_none())
            .expect("no thread panics while it holds the lock");
        if inner.durable <= folded || inner.time() == Time::Over {
            return Work::Close;
        }
        let (mut inner, _) = self
            .woken
            .wait_timeout_while(inner, GATHER, |inner| {
                inner.wanted <= folded && inner.closed.is_none()
            })
            .expect("no thread panics while it holds the lock");
        while inner.kept.front().is_some_and(|record| record.seq <= folded) {
            inner.kept.pop_front();
        }
        if inner.kept.front().is_some_and(|record| record.seq == folded + 1) {
            inner.kept_bytes = 0;
            return Work::Fold(std::mem::take(&mut inner.kept).into());
        }
        Work::Read(inner.kept.front().map_or(inner.durable, |record| record.seq - 1))
    }

    /// Waits; says whether the feed was closed meanwhile.
    pub(crate) fn pause(&self, length: Duration) -> bool {
        let inner = self.lock();
        let (inner, _) = self
            .woken
            .wait_timeout_while(inner, length, |inner| inner.closed.is_none())
            .expect("no thread panics while it holds the lock");
        inner.closed.is_some()
    }

    /// Whether there is time for more work.
    pub(crate) fn time(&self) -> Time {
        self.lock().time()
    }

    pub(crate) fn durable(&self) -> u64 {
        self.lock().durable
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no thread panics while it holds the lock")
    }
}

impl Inner {
    fn time(&self) -> Time {
        match self.closed.is_some_and(|closed| closed.elapsed() > LAST_WORK) {
            true => Time::Over,
            false => Time::Left,
        }
    }
}
