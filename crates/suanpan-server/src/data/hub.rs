//! The object store together with what is known of it, as handlers use it.

use super::ledger::{ChunkLedger, Welcome};
use super::limits::Limits;
use super::store::ChunkStore;
use crate::pipeline::{ControlPlane, Failure};
use anyhow::{Context, Result};
use axum::body::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};
use suanpan_engine::command::{Caller, Command, Present, RecordReplicas};
use suanpan_model::dataset::Manifest;
use suanpan_model::id::BlobHash;

/// How often chunks that nothing needs are looked for.
const COLLECT_EVERY: Duration = Duration::from_secs(60);

/// How often it is looked whether links may carry something else at this time of day.
const LIMITS_EVERY: Duration = Duration::from_secs(5);

/// How soon reading the store is tried again.
const OPEN_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// How long a transfer that failed says that a place cannot be reached.
const UNREACHABLE_FOR: Duration = Duration::from_secs(300);

/// How long a wish to have a dataset at the control plane lasts; whoever waits repeats it.
const WISH_LASTS: Duration = Duration::from_secs(60);

/// Settings about data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataOptions {
    /// Directory or `s3://bucket/prefix` of the object store.
    pub store: String,
    /// Name of the control plane's own place among sites.
    pub site: String,
    /// How much links may carry.
    pub limits: Limits,
}

/// The control plane's own place.
pub struct DataHub {
    store: ChunkStore,
    options: DataOptions,
    /// Nothing until the store was listed.
    ledger: Mutex<Option<ChunkLedger>>,
    /// Pairs of places between which a transfer failed lately: from, to.
    unreachable: Mutex<BTreeMap<(String, String), Instant>>,
    /// Contents that somebody waits to get from the control plane.
    wishes: Mutex<BTreeMap<BlobHash, Instant>>,
}

/// What became of a chunk that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is there.
    Yes,
    /// It is being removed just now, or the store was not read yet.
    Later,
    /// Its bytes have another hash.
    Damaged(BlobHash),
    /// No registered dataset needs it.
    Unwanted,
}

impl DataHub {
    /// Opens the store; it is read by [`DataHub::run`].
    ///
    /// # Errors
    /// If the setting names no usable place.
    pub fn open(options: DataOptions) -> Result<DataHub> {
        let store = ChunkStore::open(&options.store)?;
        Ok(DataHub {
            store,
            options,
            ledger: Mutex::default(),
            unreachable: Mutex::default(),
            wishes: Mutex::default(),
        })
    }

    /// Name of the control plane's own place among sites.
    #[must_use]
    pub fn site(&self) -> &str {
        &self.options.site
    }

    /// How much links may carry.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.options.limits
    }

    /// Reads the store, then collects what nothing needs, for as long as the server runs.
    pub async fn run(&self, plane: &ControlPlane) {
        while let Err(error) = self.load(plane).await {
            tracing::error!(error = format!("{error:#}"), "the object store cannot be read");
            tokio::time::sleep(OPEN_AGAIN_AFTER).await;
        }
        loop {
            if let Err(error) = self.collect(plane).await {
                tracing::warn!(error = format!("{error:#}"), "chunks could not be collected");
            }
            tokio::time::sleep(COLLECT_EVERY).await;
        }
    }

    /// Tells the scheduler how much links may carry, whenever that is another amount: times of day
    /// begin and end, sites join. Ends at once if there is no limit at all.
    pub async fn follow_limits(&self, plane: &ControlPlane) {
        let mut told = None;
        while !self.limits().is_empty() {
            let hub = self.site().to_owned();
            let places = plane.ask(move |state, now| {
                let sites = state.clusters().map(|(_, one)| one.site().to_owned());
                (sites.chain([hub]).collect(), now)
            });
            if let Ok((places, now)) = places.await {
                let limits = self.limits().between(&places, now);
                if told.as_ref() != Some(&limits) {
                    plane.limit_links(limits.clone());
                    told = Some(limits);
                }
            }
            tokio::time::sleep(LIMITS_EVERY).await;
        }
    }

    async fn load(&self, plane: &ControlPlane) -> Result<()> {
        let mut ledger = ChunkLedger::new(self.store.list().await.context("data.store")?);
        for hash in self.known(plane).await? {
            ledger.learn(hash, &read_manifest(plane, hash).await?);
        }
        *self.lock() = Some(ledger);
        // What was registered meanwhile came too early to be learnt.
        for hash in self.known(plane).await? {
            let manifest = read_manifest(plane, hash).await?;
            self.with(|ledger| ledger.learn(hash, &manifest));
        }
        self.correct(plane).await?;
        self.tell(plane).await?;
        Ok(())
    }

    /// Says of what the state believes to be here and is not that it is gone.
    async fn correct(&self, plane: &ControlPlane) -> Result<(), Failure> {
        let site = self.site().to_owned();
        let believed = plane.ask(move |state, _| {
            let contents = state.datasets().contents();
            let here = contents.filter(|(_, content)| content.replicas.contains_key(&site));
            here.map(|(hash, _)| hash).collect::<Vec<_>>()
        });
        let believed = believed.await?;
        let now = self.with(|ledger| {
            let bytes = |hash: &BlobHash| ledger.present(*hash).unwrap_or(0);
            let all = believed.iter().map(|hash| Present { manifest: *hash, bytes: bytes(hash) });
            all.collect::<Vec<_>>()
        });
        self.record(plane, now.unwrap_or_default()).await
    }

    async fn known(&self, plane: &ControlPlane) -> Result<BTreeSet<BlobHash>, Failure> {
        plane.ask(|state, _| state.datasets().contents().map(|(hash, _)| hash).collect()).await
    }

    async fn collect(&self, plane: &ControlPlane) -> Result<()> {
        let asked = self.with(|ledger| ledger.now()).unwrap_or(0);
        let known = self.known(plane).await?;
        let idle = self.with(|ledger| ledger.keep_only(&known, asked)).unwrap_or_default();
        for chunk in idle {
            let removed = self.store.remove(chunk).await;
            // One that could not be removed is found again at the next start.
            self.with(|ledger| ledger.gone(chunk));
            removed?;
        }
        Ok(())
    }

    /// A manifest was registered: chunks of it that are not here, or nothing while the store was
    /// not read yet.
    pub async fn learn(
        &self,
        plane: &ControlPlane,
        hash: BlobHash,
        manifest: &Manifest,
    ) -> Result<Option<Vec<BlobHash>>, Failure> {
        let missing = self.with(|ledger| {
            ledger.learn(hash, manifest);
            ledger.missing(hash)
        });
        self.tell(plane).await?;
        Ok(missing)
    }

    /// Chunks of a manifest that are not here, or nothing while the store was not read yet;
    /// nothing inside that if no registered dataset has this manifest.
    #[must_use]
    pub fn missing(&self, manifest: BlobHash) -> Option<Option<Vec<BlobHash>>> {
        self.with(|ledger| ledger.present(manifest).map(|_| ledger.missing(manifest)))
    }

    /// Takes a chunk that was sent.
    ///
    /// # Errors
    /// If the store cannot take it.
    pub async fn put(&self, hash: BlobHash, bytes: Bytes) -> object_store::Result<Taken> {
        match self.with(|ledger| ledger.welcome(hash)) {
            None | Some(Welcome::Later) => return Ok(Taken::Later),
            Some(Welcome::Unwanted) => return Ok(Taken::Unwanted),
            Some(Welcome::Known) => return Ok(Taken::Yes),
            Some(Welcome::Wanted) => {}
        }
        let found = BlobHash(*blake3::hash(&bytes).as_bytes());
        if found != hash {
            return Ok(Taken::Damaged(found));
        }
        self.store.put(hash, bytes).await?;
        self.with(|ledger| ledger.arrived(hash));
        Ok(Taken::Yes)
    }

    /// A chunk's bytes; `None` if it is not here.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn get(&self, hash: BlobHash) -> object_store::Result<Option<Bytes>> {
        let found = self.store.get(hash).await?;
        if found.is_none() {
            self.with(|ledger| ledger.lost(hash));
        }
        Ok(found)
    }

    /// Bytes of a manifest that are here.
    #[must_use]
    pub fn present(&self, hash: BlobHash) -> u64 {
        self.with(|ledger| ledger.present(hash)).flatten().unwrap_or(0)
    }

    /// Records what is here, where that changed enough.
    ///
    /// # Errors
    /// As of a command.
    pub async fn tell(&self, plane: &ControlPlane) -> Result<(), Failure> {
        let news = self.with(ChunkLedger::news).unwrap_or_default();
        let news = news.into_iter().map(|(manifest, bytes)| Present { manifest, bytes });
        self.record(plane, news.collect()).await
    }

    async fn record(&self, plane: &ControlPlane, present: Vec<Present>) -> Result<(), Failure> {
        if present.is_empty() {
            return Ok(());
        }
        let site = Some(self.site().to_owned());
        let record = RecordReplicas { site, present, stored: None };
        let command = Command::RecordReplicas(record);
        plane.command(Caller::System, command, Vec::new()).await.map(|_| ())
    }

    /// A transfer between two places failed, or went well.
    pub fn note_transfer(&self, from: &str, to: &str, failed: bool) {
        let link = (from.to_owned(), to.to_owned());
        let mut links = guard(&self.unreachable);
        match failed {
            true => links.insert(link, Instant::now()),
            false => links.remove(&link),
        };
    }

    /// Pairs of places between which transfers failed lately.
    #[must_use]
    pub fn unreachable(&self) -> BTreeSet<(String, String)> {
        let mut links = guard(&self.unreachable);
        links.retain(|_, at| at.elapsed() < UNREACHABLE_FOR);
        links.keys().cloned().collect()
    }

    /// Somebody waits to get a content from here.
    pub fn wish(&self, manifest: BlobHash) {
        guard(&self.wishes).insert(manifest, Instant::now());
    }

    /// What is waited for and not whole here.
    #[must_use]
    pub fn wishes(&self) -> BTreeSet<BlobHash> {
        let mut wishes = guard(&self.wishes);
        wishes.retain(|_, at| at.elapsed() < WISH_LASTS);
        wishes.keys().copied().collect()
    }

    fn with<T>(&self, work: impl FnOnce(&mut ChunkLedger) -> T) -> Option<T> {
        self.lock().as_mut().map(work)
    }

    fn lock(&self) -> MutexGuard<'_, Option<ChunkLedger>> {
        guard(&self.ledger)
    }
}

fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no thread panics while it holds the lock")
}

/// Reads a registered manifest.
///
/// # Errors
/// If it cannot be read.
pub async fn read_manifest(plane: &ControlPlane, hash: BlobHash) -> Result<Manifest> {
    let reader = plane.clone();
    let bytes = tokio::task::spawn_blocking(move || reader.blob(hash)).await??;
    let bytes = bytes.with_context(|| format!("manifest {hash} is not kept"))?;
    serde_json::from_slice(&bytes).with_context(|| format!("manifest {hash}"))
}
