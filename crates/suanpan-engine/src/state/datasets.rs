//! Datasets, and what each site holds of them.
//!
//! A *content* is what a manifest names; datasets give it names. What sites hold is known of
//! contents, so that two names of the same data are held once. Chunks are not known here: sites
//! report how many bytes of a content they hold, which takes chunks shared between contents into
//! account.
//!
//! What a site should hold is derived like orders: see [`State::site_data`]. Eviction is not: of
//! two complete replicas both could be let go at the same moment, each because of the other. So
//! it is decided here, one after the other, and a replica that is being evicted no longer counts.

use super::{Job, State};
use crate::command::Present;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use suanpan_model::dataset::DatasetName;
use suanpan_model::id::{AllocationId, BlobHash, ClusterId, DatasetId, JobId};
use suanpan_model::job::InputNeed;
use suanpan_model::time::Timestamp;
use suanpan_sched::snapshot::{Change, DatasetView};

mod eviction;

/// All datasets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Datasets {
    /// The versions there are.
    pub(super) versions: BTreeMap<DatasetId, Dataset>,
    /// Ids by name and version. Derived.
    #[serde(skip)]
    pub(super) by_name: BTreeMap<(DatasetName, u32), DatasetId>,
    /// The last version given out under each name; one that was removed is never given again.
    pub(super) last: BTreeMap<DatasetName, u32>,
    /// What the manifests name, and where it is.
    pub(super) contents: BTreeMap<BlobHash, Content>,
    /// Bytes of chunks in each site's store, as last reported.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) stored: BTreeMap<String, u64>,
    /// The last id given out.
    pub(super) last_id: u64,
}

/// One version of a dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dataset {
    /// Its id.
    pub id: DatasetId,
    /// Its name.
    pub name: DatasetName,
    /// Its version, from 1.
    pub version: u32,
    /// What it names.
    pub manifest: BlobHash,
    /// Who registered it.
    pub owner: String,
    /// The project it belongs to.
    pub project: String,
    /// When it was registered.
    pub registered: Timestamp,
    /// The attempt that made it; `None` for what came from outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lineage: Option<Lineage>,
    /// Sites that keep it until told otherwise.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub pins: BTreeSet<String>,
}

/// How a dataset came to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lineage {
    /// The job (of an array: the task's own id).
    pub job: JobId,
    /// Its attempt.
    pub allocation: AllocationId,
    /// What was run: the hash of its launch document.
    pub launch: BlobHash,
    /// What it read, as `name@version`: the names outlive the datasets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<String>,
}

/// How large the data of a manifest is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// All files together.
    pub bytes: u64,
    /// Number of files.
    pub files: u64,
    /// Number of different chunks.
    pub chunks: u64,
}

/// What a manifest names, and where it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// How large it is.
    pub size: Size,
    /// What sites hold of it.
    pub replicas: BTreeMap<String, Replica>,
    /// The datasets that name it. Derived.
    #[serde(skip)]
    pub named_by: BTreeSet<DatasetId>,
}

/// What a site holds of a content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replica {
    /// Verified bytes there.
    pub present: u64,
    /// When a job there last read it, or else when it came.
    pub used: Timestamp,
    /// Whether it stays.
    #[serde(default)]
    pub stay: Stay,
    /// Bytes an eviction left, because other contents have the same chunks.
    #[serde(default)]
    pub left: u64,
}

/// Whether a replica stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stay {
    /// For now.
    #[default]
    Kept,
    /// Its site was told to let it go.
    Evicted,
}

impl Content {
    /// Bytes at a site that can be counted on.
    #[must_use]
    pub fn present(&self, site: &str) -> u64 {
        let kept = self.replicas.get(site).filter(|replica| replica.stay == Stay::Kept);
        kept.map_or(0, |replica| replica.present)
    }

    /// Whether a site holds all of it, and will go on doing so.
    #[must_use]
    pub fn is_complete_at(&self, site: &str) -> bool {
        let known = self.replicas.get(site).filter(|replica| replica.stay == Stay::Kept);
        known.is_some_and(|replica| replica.present >= self.size.bytes)
    }

    /// Sites that hold all of it.
    pub fn complete(&self) -> impl Iterator<Item = &str> {
        self.replicas.keys().map(String::as_str).filter(|site| self.is_complete_at(site))
    }
}

/// What a site should do about data: everything, each time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SiteData {
    /// What it should hold: for which allocations (none: it is pinned), most urgent first.
    pub hold: Vec<(BlobHash, Vec<AllocationId>)>,
    /// What else there is.
    pub weigh: Vec<BlobHash>,
    /// What it should let go.
    pub evict: Vec<BlobHash>,
}

impl Datasets {
    pub(super) fn is_unused(&self) -> bool {
        self.last_id == 0
    }

    /// Every version of every dataset, by id.
    pub fn all(&self) -> impl Iterator<Item = &Dataset> {
        self.versions.values()
    }

    /// A version by its id.
    #[must_use]
    pub fn get(&self, id: DatasetId) -> Option<&Dataset> {
        self.versions.get(&id)
    }

    /// A version by name: the newest there is if none is given.
    #[must_use]
    pub fn find(&self, name: &DatasetName, version: Option<u32>) -> Option<&Dataset> {
        let (first, last) = version.map_or((0, u32::MAX), |version| (version, version));
        let mut range = self.by_name.range((name.clone(), first)..=(name.clone(), last));
        range.next_back().map(|(_, id)| &self.versions[id])
    }

    /// The version of a name that has this manifest.
    pub(crate) fn same(&self, name: &DatasetName, manifest: BlobHash) -> Option<&Dataset> {
        let content = self.contents.get(&manifest)?;
        content.named_by.iter().map(|id| &self.versions[id]).find(|one| one.name == *name)
    }

    /// What a manifest names, and where it is.
    #[must_use]
    pub fn content(&self, manifest: BlobHash) -> Option<&Content> {
        self.contents.get(&manifest)
    }

    /// What all known manifests name.
    pub fn contents(&self) -> impl Iterator<Item = (BlobHash, &Content)> {
        self.contents.iter().map(|(manifest, content)| (*manifest, content))
    }

    /// Bytes of chunks in each site's store, as last reported.
    pub fn stored(&self) -> impl Iterator<Item = (&str, u64)> {
        self.stored.iter().map(|(site, bytes)| (site.as_str(), *bytes))
    }

    pub(crate) fn next(&self, name: &DatasetName) -> (DatasetId, u32) {
        let version = self.last.get(name).copied().unwrap_or(0).saturating_add(1);
        (DatasetId(self.last_id + 1), version)
    }

    pub(super) fn index(&mut self) {
        self.by_name.clear();
        for content in self.contents.values_mut() {
            content.named_by.clear();
        }
        for (id, one) in &self.versions {
            self.by_name.insert((one.name.clone(), one.version), *id);
            let content = self.contents.get_mut(&one.manifest).expect("a dataset names a content");
            content.named_by.insert(*id);
        }
    }

    fn view(&self, id: DatasetId) -> Option<DatasetView> {
        let content = &self.contents[&self.versions.get(&id)?.manifest];
        let sites = content.replicas.keys();
        let present = sites.map(|site| (site.clone(), content.present(site)));
        let present = present.filter(|(_, bytes)| *bytes > 0).collect();
        Some(DatasetView { bytes: content.size.bytes, present })
    }
}

/// Datasets a job reads.
pub(super) fn inputs_of(job: &Job) -> impl Iterator<Item = DatasetId> + '_ {
    job.spec.shape.inputs.iter().filter_map(|input| input.dataset)
}

impl State {
    /// Datasets, and what sites hold of them.
    #[must_use]
    pub fn datasets(&self) -> &Datasets {
        &self.datasets
    }

    /// Live jobs that read a dataset.
    pub fn readers_of(&self, id: DatasetId) -> impl Iterator<Item = JobId> + '_ {
        self.derived.readers.get(&id).into_iter().flatten().copied()
    }

    /// The first input of a job that no site holds whole, if there is one.
    pub(crate) fn missing_input(&self, job: &Job) -> Option<&Dataset> {
        inputs_of(job).filter_map(|id| self.datasets.versions.get(&id)).find(|one| {
            let content = &self.datasets.contents[&one.manifest];
            content.complete().next().is_none()
        })
    }

    /// What the agent of `cluster` should do about data. Costs O(its allocations + contents).
    #[must_use]
    pub fn site_data(&self, cluster: ClusterId) -> SiteData {
        let Some(known) = self.clusters.get(&cluster) else { return SiteData::default() };
        let site = known.site();
        let mut hold: Vec<(BlobHash, Vec<AllocationId>)> = Vec::new();
        let mut places: BTreeMap<BlobHash, usize> = BTreeMap::new();
        let mut want = |manifest: BlobHash| {
            *places.entry(manifest).or_insert_with(|| {
                hold.push((manifest, Vec::new()));
                hold.len() - 1
            })
        };
        let mut staged: Vec<(usize, AllocationId)> = Vec::new();
        for id in &known.allocations {
            let allocation = &self.allocations[id];
            if allocation.stopping.is_none() {
                let inputs = inputs_of(&self.jobs[&allocation.placed.job]);
                let manifests = inputs.filter_map(|input| self.manifest_of(input));
                staged.extend(manifests.map(|manifest| (want(manifest), *id)));
            }
        }
        for one in self.datasets.versions.values().filter(|one| one.pins.contains(site)) {
            want(one.manifest);
        }
        staged.into_iter().for_each(|(place, id)| hold[place].1.push(id));
        let held: BTreeSet<BlobHash> = hold.iter().map(|(manifest, _)| *manifest).collect();
        let others = self.datasets.contents.keys().filter(|manifest| !held.contains(manifest));
        let weigh = others.copied().collect();
        let leaves = |content: &Content| {
            content.replicas.get(site).is_some_and(|replica| replica.stay == Stay::Evicted)
        };
        let evict = self.datasets.contents.iter().filter(|(_, content)| leaves(content));
        SiteData { hold, weigh, evict: evict.map(|(manifest, _)| *manifest).collect() }
    }

    fn manifest_of(&self, id: DatasetId) -> Option<BlobHash> {
        self.datasets.versions.get(&id).map(|one| one.manifest)
    }

    pub(super) fn dataset_registered(&mut self, dataset: &Dataset, size: Size) {
        let datasets = &mut self.datasets;
        datasets.last_id = datasets.last_id.max(dataset.id.0);
        datasets.last.insert(dataset.name.clone(), dataset.version);
        datasets.by_name.insert((dataset.name.clone(), dataset.version), dataset.id);
        let content = datasets.contents.entry(dataset.manifest).or_default();
        content.size = size;
        content.named_by.insert(dataset.id);
        datasets.versions.insert(dataset.id, dataset.clone());
        self.publish_dataset(dataset.id);
    }

    pub(super) fn dataset_removed(&mut self, id: DatasetId) {
        let gone = self.datasets.versions.remove(&id).expect("a dataset is removed once");
        self.datasets.by_name.remove(&(gone.name, gone.version));
        let contents = &mut self.datasets.contents;
        let content = contents.get_mut(&gone.manifest).expect("a dataset names a content");
        content.named_by.remove(&id);
        if content.named_by.is_empty() {
            contents.remove(&gone.manifest);
        }
        self.publish_dataset(id);
    }

    pub(super) fn dataset_pinned(&mut self, id: DatasetId, site: &str, pin: Pin) {
        let one = self.datasets.versions.get_mut(&id).expect("events name known datasets");
        match pin {
            Pin::Set => one.pins.insert(site.to_owned()),
            Pin::Lifted => one.pins.remove(site),
        };
    }

    pub(super) fn replicas_recorded(
        &mut self,
        at: Timestamp,
        site: &str,
        present: &[Present],
        stored: Option<u64>,
    ) {
        if let Some(bytes) = stored {
            self.datasets.stored.insert(site.to_owned(), bytes);
        }
        for Present { manifest, bytes } in present {
            let Some(content) = self.datasets.contents.get_mut(manifest) else { continue };
            let size = content.size.bytes;
            let replica = content.replicas.entry(site.to_owned()).or_default();
            if *bytes > replica.present {
                replica.used = at;
            }
            match replica.stay {
                // It was let go; what is left is of other contents too.
                Stay::Evicted if *bytes < replica.present => {
                    replica.left = *bytes;
                    replica.stay = Stay::Kept;
                }
                Stay::Evicted => {}
                Stay::Kept => replica.left = replica.left.min(*bytes),
            }
            replica.present = *bytes;
            if *bytes == 0 && size > 0 {
                content.replicas.remove(site);
            }
            self.content_moved(*manifest);
        }
    }

    pub(super) fn replicas_evicted(&mut self, site: &str, manifests: &[BlobHash]) {
        for manifest in manifests {
            let Some(content) = self.datasets.contents.get_mut(manifest) else { continue };
            let Some(replica) = content.replicas.get_mut(site) else { continue };
            replica.stay = Stay::Evicted;
            self.content_moved(*manifest);
        }
    }

    /// What sites hold of a content changed: the scheduler and the jobs that read it are told.
    fn content_moved(&mut self, manifest: BlobHash) {
        if !self.derived.emit {
            return;
        }
        let Some(content) = self.datasets.contents.get(&manifest) else { return };
        let names: Vec<DatasetId> = content.named_by.iter().copied().collect();
        for id in names {
            self.publish_dataset(id);
            let readers: Vec<JobId> = self.readers_of(id).collect();
            readers.into_iter().for_each(|job| self.publish_pending(job));
        }
    }

    fn publish_dataset(&mut self, id: DatasetId) {
        if self.derived.emit {
            let view = self.datasets.view(id);
            self.derived.changes.push(Change::Dataset(id, view));
        }
    }

    /// The scheduler's view of every dataset.
    pub(super) fn dataset_views(&self) -> impl Iterator<Item = Change> + '_ {
        let ids = self.datasets.versions.keys();
        ids.map(|id| Change::Dataset(*id, self.datasets.view(*id)))
    }

    /// A job at a site reads its inputs there.
    pub(super) fn inputs_used(&mut self, at: Timestamp, job: JobId, cluster: ClusterId) {
        let site = self.clusters[&cluster].site();
        let inputs = inputs_of(&self.jobs[&job]);
        let manifests: Vec<BlobHash> = inputs.filter_map(|id| self.manifest_of(id)).collect();
        for manifest in manifests {
            let content = self.datasets.contents.get_mut(&manifest);
            if let Some(replica) = content.and_then(|content| content.replicas.get_mut(site)) {
                replica.used = at;
            }
        }
    }

    /// Invariants of datasets.
    ///
    /// # Panics
    /// With the broken invariant in words.
    pub(super) fn check_datasets(&self) {
        let mut fresh = self.datasets.clone();
        fresh.index();
        assert_eq!(fresh, self.datasets, "datasets are indexed");
        for (id, one) in &self.datasets.versions {
            assert!(id.0 <= self.datasets.last_id, "dataset ids are never reused");
            let last = self.datasets.last.get(&one.name);
            assert!(last.is_some_and(|last| one.version <= *last), "versions are never reused");
        }
        for (manifest, content) in &self.datasets.contents {
            assert!(!content.named_by.is_empty(), "content {manifest} has a name");
        }
        for job in self.jobs.values() {
            for input in inputs_of(job) {
                let known = self.datasets.versions.contains_key(&input);
                assert!(known, "what job {} reads is not removed", job.id);
            }
        }
    }
}

/// Whether a site is to keep a dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pin {
    /// Until told otherwise.
    Set,
    /// As long as something there needs it, or there is room.
    Lifted,
}

/// What a dataset asks of a site.
impl Dataset {
    /// What a job that reads it needs.
    #[must_use]
    pub fn need(&self, size: Size) -> InputNeed {
        InputNeed { at: None, bytes: size.bytes, dataset: Some(self.id) }
    }
}

impl std::fmt::Display for Dataset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.name, self.version)
    }
}
