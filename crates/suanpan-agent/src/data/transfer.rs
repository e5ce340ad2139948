//! One transfer: the chunks of a manifest that are missing, from the sites that have them.
//!
//! Several streams for each source, and several sources at once, take chunks from one queue, so
//! the faster link carries more. A stream keeps as much asked for as flows in half a second, so
//! that a long link never idles for a round trip, and a slow one holds little back at the end.
//! What a source does not have, or sends changed, is left to the others. Every chunk is verified
//! and in the store before it counts: a transfer that is killed goes on where it was.

use super::fetch::{Fetch, Stream};
use super::pace::Paces;
use super::store::{PutError, Store};
use crate::config::Shutdown;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use suanpan_model::dataset::{Chunk, Manifest};
use suanpan_model::id::BlobHash;
use suanpan_model::network::streams;
use suanpan_wire::agent_data::{ChunkSource, TransferReport};

#[cfg(test)]
mod tests;

/// Sources that are used at once.
const SOURCES_MAX: usize = 8;

/// What a stream asks for before anything came.
const WINDOW_FIRST: u64 = 4 << 20;

/// Bounds of what is asked for and has not come.
const WINDOW: (u64, u64) = (2 << 20, 32 << 20);

/// Chunks that are asked for and have not come; many of them may be small.
const WINDOW_CHUNKS: usize = 256;

/// A stream that breaks so often without a chunk in between gives up.
const ATTEMPTS: u32 = 3;

/// How long a stream without work waits for chunks that others give back.
const IDLE: Duration = Duration::from_millis(100);

/// What a transfer needs.
pub struct Transfer<'a> {
    /// Where the chunks go.
    pub store: &'a Store,
    /// How sources are reached.
    pub fetch: &'a dyn Fetch,
    /// Limits on links.
    pub paces: &'a Paces,
    /// Ends it.
    pub shutdown: &'a Shutdown,
    /// What is counted while it runs.
    pub progress: Arc<Progress>,
}

/// How far a transfer is.
#[derive(Debug)]
pub struct Progress {
    began: Instant,
    missing: u64,
    moved: AtomicU64,
}

impl Progress {
    /// Of a transfer of so many bytes that begins now.
    #[must_use]
    pub fn new(missing: u64) -> Progress {
        Progress { began: Instant::now(), missing, moved: AtomicU64::new(0) }
    }

    /// How long it will take from now, at the rate it had; nothing in its first moments.
    #[must_use]
    pub fn left(&self) -> Option<Duration> {
        let moved = self.moved.load(Ordering::Relaxed);
        if moved == 0 {
            return None;
        }
        let rest = self.missing.saturating_sub(moved) as f64 / moved as f64;
        Some(self.began.elapsed().mul_f64(rest))
    }
}

/// What became of it.
#[derive(Debug, Default)]
pub struct Done {
    /// One for each source that gave something or failed, and for each chunk that came changed.
    pub reports: Vec<TransferReport>,
    /// What each site gave once its streams flowed, where enough came to say.
    pub rates: Vec<Rate>,
    /// Why not everything is there.
    pub failure: Option<String>,
}

/// What a source gave in a transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rate {
    /// The site.
    pub from: String,
    /// Bits per second of all streams together, without what each took to begin.
    pub bits_per_s: u64,
}

struct Queue {
    /// Chunks that were not asked for.
    fresh: VecDeque<Chunk>,
    /// Chunks that some source does not have, with a bit for each such source.
    refused: VecDeque<(Chunk, u8)>,
    /// Chunks that are asked for and have not come.
    flying: usize,
    /// No more can be taken, for any source.
    fatal: Option<String>,
    totals: Vec<Total>,
    damaged: Vec<(usize, BlobHash)>,
}

#[derive(Clone, Default)]
struct Total {
    bytes: u64,
    first: Option<Instant>,
    last: Option<Instant>,
    error: Option<String>,
    /// What came over all streams after the first chunk of each, and the sum of their times.
    flowed: (u64, Duration),
}

impl Total {
    /// Bits per second of so many streams, if most of the bytes flowed.
    fn rate(&self, streams: u64) -> Option<u64> {
        let (bytes, time) = self.flowed;
        let each = u128::from(bytes) * 8_000_000 / time.as_micros().max(1);
        let all = u64::try_from(each * u128::from(streams)).ok()?;
        (bytes >= self.bytes / 2 && all > 0).then_some(all)
    }
}

impl Queue {
    fn take(&mut self, source: usize) -> Option<(Chunk, u8)> {
        let bit = 1u8 << source;
        let taken = self.fresh.pop_front().map(|chunk| (chunk, 0)).or_else(|| {
            let at = self.refused.iter().position(|(_, by)| by & bit == 0)?;
            self.refused.remove(at)
        });
        self.flying += usize::from(taken.is_some());
        taken
    }

    fn give_back(&mut self, chunk: Chunk, by: u8) {
        self.flying -= 1;
        match by {
            0 => self.fresh.push_front(chunk),
            by => self.refused.push_back((chunk, by)),
        }
    }

    fn is_over(&self) -> bool {
        let all_came = self.flying == 0 && self.fresh.is_empty() && self.refused.is_empty();
        self.fatal.is_some() || all_came
    }

    /// Whether nothing is left that this source could give.
    fn is_over_for(&self, source: usize) -> bool {
        let bit = 1u8 << source;
        let dry = self.fresh.is_empty() && self.refused.iter().all(|(_, by)| by & bit != 0);
        self.is_over() || (dry && self.flying == 0)
    }
}

struct Shared<'a> {
    transfer: &'a Transfer<'a>,
    sources: &'a [ChunkSource],
    queue: Mutex<Queue>,
    wake: Condvar,
    /// Streams for each source.
    streams: u64,
}

impl Transfer<'_> {
    /// Fetches what is missing of a manifest; blocks until it is all there or no source helps.
    #[must_use]
    pub fn run(&self, hash: BlobHash, manifest: &Manifest, sources: &[ChunkSource]) -> Done {
        let missing = self.store.missing(manifest);
        if missing.is_empty() {
            return Done::default();
        }
        let sources = &sources[..sources.len().min(SOURCES_MAX)];
        let bytes: u64 = missing.iter().map(|chunk| u64::from(chunk.bytes)).sum();
        let streams = streams(bytes);
        let queue = Queue {
            fresh: missing.into(),
            refused: VecDeque::new(),
            flying: 0,
            fatal: None,
            totals: vec![Total::default(); sources.len()],
            damaged: Vec::new(),
        };
        let (queue, wake) = (Mutex::new(queue), Condvar::new());
        let shared = Shared { transfer: self, sources, queue, wake, streams };
        let work = &shared;
        std::thread::scope(|scope| {
            for source in 0..sources.len() {
                for _ in 0..streams {
                    scope.spawn(move || work.stream(source));
                }
            }
        });
        shared.done(hash)
    }
}

impl Shared<'_> {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().expect("no holder of this lock panics")
    }

    /// One stream, connected again when it breaks.
    fn stream(&self, source: usize) {
        let mut attempts = 0;
        let mut pause = crate::reporter::Pause::default();
        while !self.queue().is_over_for(source) && !self.transfer.shutdown.is_triggered() {
            let mut mine = VecDeque::new();
            let mut came = 0;
            let pulled = self
                .transfer
                .fetch
                .connect(&self.sources[source])
                .and_then(|stream| self.pull(source, stream, &mut mine, &mut came));
            let mut queue = self.queue();
            for (chunk, by) in mine {
                queue.give_back(chunk, by);
            }
            self.wake.notify_all();
            let Err(error) = pulled else { break };
            queue.totals[source].error = Some(error);
            drop(queue);
            attempts = if came > 0 { 1 } else { attempts + 1 };
            if attempts >= ATTEMPTS || self.transfer.shutdown.wait(pause.next()) {
                break;
            }
        }
    }

    /// Asks and takes until nothing is left for this source. What was asked for and has not come
    /// is in `mine`, in order.
    fn pull(
        &self,
        source: usize,
        mut stream: Box<dyn Stream>,
        mine: &mut VecDeque<(Chunk, u8)>,
        came: &mut u64,
    ) -> Result<(), String> {
        let began = Instant::now();
        let mut bytes = Vec::new();
        let mut window = WINDOW_FIRST;
        // When the last chunk was there, if one was.
        let mut flowing: Option<Instant> = None;
        loop {
            self.ask(source, stream.as_mut(), mine, window)?;
            let Some((chunk, by)) = mine.front().copied() else {
                let queue = self.queue();
                if queue.is_over_for(source) || self.transfer.shutdown.is_triggered() {
                    return Ok(());
                }
                // Others may give back what they do not get.
                drop(self.wake.wait_timeout(queue, IDLE));
                continue;
            };
            let here = stream.next(&mut bytes)?;
            mine.pop_front();
            if !here {
                self.queue().give_back(chunk, by | 1 << source);
                self.wake.notify_all();
                continue;
            }
            // What waits in the socket while a chunk is hashed and written counts with the next.
            let at = Instant::now();
            self.take_in(source, (chunk, by), &bytes)?;
            if let Some(before) = flowing.replace(at) {
                let flowed = &mut self.queue().totals[source].flowed;
                *flowed = (flowed.0 + u64::from(chunk.bytes), flowed.1 + (at - before));
            }
            *came += u64::from(chunk.bytes);
            let rate = *came as f64 / began.elapsed().as_secs_f64().max(0.001);
            window = ((rate / 2.0) as u64).clamp(WINDOW.0, WINDOW.1);
        }
    }

    fn ask(
        &self,
        source: usize,
        stream: &mut dyn Stream,
        mine: &mut VecDeque<(Chunk, u8)>,
        window: u64,
    ) -> Result<(), String> {
        let mut asked: u64 = mine.iter().map(|(chunk, _)| u64::from(chunk.bytes)).sum();
        // Asked for again when half of it came, in one question.
        if asked > window / 2 || mine.len() > WINDOW_CHUNKS / 2 {
            return Ok(());
        }
        let mut hashes = Vec::new();
        let name = name(&self.sources[source]);
        while asked < window && mine.len() < WINDOW_CHUNKS {
            let taken = {
                let mut queue = self.queue();
                if queue.fatal.is_some() || self.transfer.shutdown.is_triggered() {
                    break;
                }
                queue.take(source)
            };
            let Some((chunk, by)) = taken else { break };
            asked += u64::from(chunk.bytes);
            mine.push_back((chunk, by));
            hashes.push(chunk.hash);
            let delay = self.transfer.paces.delay(name, chunk.bytes.into());
            if !delay.is_zero() {
                // It is asked for when the link is free for it.
                let _ = self.transfer.shutdown.wait(delay);
                break;
            }
        }
        if hashes.is_empty() {
            return Ok(());
        }
        self.queue().totals[source].first.get_or_insert_with(Instant::now);
        stream.ask(&hashes)
    }

    fn take_in(&self, source: usize, taken: (Chunk, u8), bytes: &[u8]) -> Result<(), String> {
        let (chunk, by) = taken;
        let put = self.transfer.store.put(chunk, bytes);
        let mut queue = self.queue();
        let total = &mut queue.totals[source];
        match put {
            Ok(()) => {
                queue.flying -= 1;
                let total = &mut queue.totals[source];
                total.bytes += u64::from(chunk.bytes);
                total.last = Some(Instant::now());
                total.error = None;
                self.transfer.progress.moved.fetch_add(chunk.bytes.into(), Ordering::Relaxed);
            }
            Err(PutError::Damaged(hash)) => {
                total.last = Some(Instant::now());
                queue.damaged.push((source, hash));
                queue.give_back(chunk, by | 1 << source);
            }
            Err(error) => {
                queue.give_back(chunk, by);
                queue.fatal = Some(error.to_string());
            }
        }
        self.wake.notify_all();
        match &queue.fatal {
            Some(why) => Err(why.clone()),
            None => Ok(()),
        }
    }

    fn done(self, manifest: BlobHash) -> Done {
        let sources = self.sources;
        let interrupted = self.transfer.shutdown.is_triggered();
        let queue = self.queue.into_inner().expect("no holder of this lock panicked");
        let mut reports = Vec::new();
        for (source, hash) in &queue.damaged {
            reports.push(TransferReport {
                manifest,
                from: name(&sources[*source]).map(str::to_owned),
                bytes: 0,
                took_us: 0,
                error: Some(format!("chunk {hash} came changed; it was asked of another source")),
            });
        }
        for (total, source) in queue.totals.iter().zip(sources) {
            if total.bytes == 0 && total.error.is_none() {
                continue;
            }
            let took = match (total.first, total.last) {
                (Some(first), Some(last)) => last.saturating_duration_since(first),
                _ => Duration::ZERO,
            };
            reports.push(TransferReport {
                manifest,
                from: name(source).map(str::to_owned),
                bytes: total.bytes,
                took_us: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
                error: total.error.clone(),
            });
        }
        let rate = |(total, source): (&Total, &ChunkSource)| {
            let bits_per_s = total.rate(self.streams)?;
            Some(Rate { from: name(source)?.to_owned(), bits_per_s })
        };
        let rates = queue.totals.iter().zip(sources).filter_map(rate).collect();
        let left = queue.fresh.len() + queue.refused.len();
        let failure = match (queue.fatal, left) {
            (Some(why), _) => Some(why),
            (None, 0) => None,
            (None, _) if interrupted => Some("the agent ends".to_owned()),
            (None, left) => {
                let errors: Vec<&str> =
                    queue.totals.iter().filter_map(|total| total.error.as_deref()).collect();
                let why = match (sources.is_empty(), errors.is_empty()) {
                    (true, _) => "there is no source".to_owned(),
                    (false, true) => "no source has them".to_owned(),
                    (false, false) => errors.join("; "),
                };
                Some(format!("{left} chunks are missing: {why}"))
            }
        };
        Done { reports, rates, failure }
    }
}

/// The site that a source is; nothing for the control plane's store.
#[must_use]
pub fn name(source: &ChunkSource) -> Option<&str> {
    match source {
        ChunkSource::Peer { site, .. } => Some(site),
        ChunkSource::Store { .. } => None,
    }
}
