//! Which chunks the object store holds, and which manifests need them.
//!
//! Memory: some hundred bytes for each chunk of each registered dataset (a chunk is about 1 MiB).

use std::collections::{BTreeMap, BTreeSet};
use suanpan_model::dataset::{Chunk, Manifest};
use suanpan_model::id::BlobHash;

/// What is there, and what is needed.
#[derive(Debug, Default)]
pub struct ChunkLedger {
    /// Chunks in the store.
    present: BTreeSet<BlobHash>,
    /// Chunks that are being removed from it.
    leaving: BTreeSet<BlobHash>,
    /// By chunk, the manifests that need it and how many of their bytes it is.
    needed: BTreeMap<BlobHash, Vec<(BlobHash, u64)>>,
    manifests: BTreeMap<BlobHash, Known>,
    /// Counts what was learnt, so that what was learnt later than a question can be told apart.
    clock: u64,
}

#[derive(Debug)]
struct Known {
    chunks: BTreeSet<BlobHash>,
    bytes: u64,
    present: u64,
    /// What was last told of it.
    told: Option<u64>,
    learnt: u64,
}

/// Whether a chunk may be put into the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Welcome {
    /// It is needed and not there.
    Wanted,
    /// It is there.
    Known,
    /// It is being removed just now: it may come again in a second.
    Later,
    /// No registered dataset needs it.
    Unwanted,
}

impl ChunkLedger {
    /// A store with these chunks in it.
    #[must_use]
    pub fn new(present: Vec<BlobHash>) -> ChunkLedger {
        ChunkLedger { present: present.into_iter().collect(), ..ChunkLedger::default() }
    }

    /// Learns of a manifest: O(chunks * log).
    pub fn learn(&mut self, manifest: BlobHash, of: &Manifest) {
        self.clock += 1;
        let learnt = self.clock;
        if let Some(known) = self.manifests.get_mut(&manifest) {
            known.learnt = learnt;
            return;
        }
        let mut sums: BTreeMap<BlobHash, u64> = BTreeMap::new();
        for Chunk { hash, bytes } in of.chunks() {
            *sums.entry(hash).or_default() += u64::from(bytes);
        }
        let mut present = 0;
        for (chunk, bytes) in &sums {
            if self.present.contains(chunk) {
                present += bytes;
            }
            self.needed.entry(*chunk).or_default().push((manifest, *bytes));
        }
        let chunks = sums.into_keys().collect();
        let known = Known { chunks, bytes: of.bytes(), present, told: None, learnt };
        self.manifests.insert(manifest, known);
    }

    /// The moment, to be given to [`ChunkLedger::keep_only`].
    #[must_use]
    pub fn now(&self) -> u64 {
        self.clock
    }

    /// Forgets the manifests that were learnt by `asked` and are not among `known`, and answers
    /// chunks that nothing needs any more: they count as gone from now on, and
    /// [`ChunkLedger::gone`] is to be told once they are.
    pub fn keep_only(&mut self, known: &BTreeSet<BlobHash>, asked: u64) -> Vec<BlobHash> {
        let old =
            self.manifests.iter().filter(|(id, one)| one.learnt <= asked && !known.contains(id));
        let old: Vec<BlobHash> = old.map(|(id, _)| *id).collect();
        for id in old {
            let gone = self.manifests.remove(&id).expect("it was listed a line ago");
            for chunk in gone.chunks {
                let users = self.needed.get_mut(&chunk).expect("its chunks are indexed");
                users.retain(|(user, _)| *user != id);
                if users.is_empty() {
                    self.needed.remove(&chunk);
                }
            }
        }
        let idle = self.present.iter().filter(|chunk| !self.needed.contains_key(chunk));
        let idle: Vec<BlobHash> = idle.copied().collect();
        for chunk in &idle {
            self.present.remove(chunk);
            self.leaving.insert(*chunk);
        }
        idle
    }

    /// A chunk that was to go is gone.
    pub fn gone(&mut self, chunk: BlobHash) {
        self.leaving.remove(&chunk);
    }

    /// A chunk turned out not to be there, or not whole.
    pub fn lost(&mut self, chunk: BlobHash) {
        if self.present.remove(&chunk) {
            for (manifest, bytes) in self.needed.get(&chunk).into_iter().flatten() {
                let known = self.manifests.get_mut(manifest).expect("users are known");
                known.present -= bytes;
            }
        }
    }

    /// Whether a chunk may be put into the store.
    #[must_use]
    pub fn welcome(&self, chunk: BlobHash) -> Welcome {
        match chunk {
            _ if self.leaving.contains(&chunk) => Welcome::Later,
            _ if self.present.contains(&chunk) => Welcome::Known,
            _ if self.needed.contains_key(&chunk) => Welcome::Wanted,
            _ => Welcome::Unwanted,
        }
    }

    /// A chunk is in the store now.
    pub fn arrived(&mut self, chunk: BlobHash) {
        if self.present.insert(chunk) {
            for (manifest, bytes) in self.needed.get(&chunk).into_iter().flatten() {
                let known = self.manifests.get_mut(manifest).expect("users are known");
                known.present += bytes;
            }
        }
    }

    /// Chunks of a manifest that are not in the store, each once.
    #[must_use]
    pub fn missing(&self, manifest: BlobHash) -> Vec<BlobHash> {
        let chunks = self.manifests.get(&manifest).map(|known| &known.chunks);
        let away = chunks.into_iter().flatten().filter(|chunk| !self.present.contains(chunk));
        away.copied().collect()
    }

    /// Bytes of a manifest in the store.
    #[must_use]
    pub fn present(&self, manifest: BlobHash) -> Option<u64> {
        self.manifests.get(&manifest).map(|known| known.present)
    }

    /// What changed enough, since it was last told, to be told: completed, begun, lost, or an
    /// eighth further. O(manifests).
    pub fn news(&mut self) -> Vec<(BlobHash, u64)> {
        let mut news = Vec::new();
        for (id, known) in &mut self.manifests {
            let is_news = match known.told {
                None => known.present > 0 || known.bytes == 0,
                Some(told) => {
                    let whole = known.present == known.bytes && told != known.bytes;
                    whole || known.present < told || known.present - told > known.bytes / 8
                }
            };
            if is_news {
                known.told = Some(known.present);
                news.push((*id, known.present));
            }
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use super::{ChunkLedger, Welcome};
    use std::collections::BTreeSet;
    use suanpan_model::dataset::{Chunk, FileEntry, Manifest, Mode};
    use suanpan_model::id::BlobHash;

    fn hash(number: u8) -> BlobHash {
        BlobHash([number; 32])
    }

    fn manifest(chunks: &[u8]) -> Manifest {
        let chunks = chunks.iter().map(|number| Chunk { hash: hash(*number), bytes: 10 });
        let file = FileEntry { path: "a".into(), mode: Mode::Plain, chunks: chunks.collect() };
        Manifest { files: vec![file] }
    }

    #[test]
    fn shared_chunks_are_missing_once_and_repeated_ones_count_each_time() {
        let mut ledger = ChunkLedger::new(vec![hash(1)]);
        ledger.learn(hash(100), &manifest(&[1, 2, 2]));
        assert_eq!(ledger.missing(hash(100)), [hash(2)]);
        assert_eq!(ledger.news(), [(hash(100), 10)]);
        ledger.arrived(hash(2));
        ledger.arrived(hash(2));
        assert_eq!(ledger.news(), [(hash(100), 30)]);
        assert_eq!(ledger.news(), []);
        ledger.learn(hash(101), &manifest(&[2, 3]));
        assert_eq!(ledger.missing(hash(101)), [hash(3)]);
        ledger.lost(hash(2));
        assert_eq!(ledger.missing(hash(100)), [hash(2)]);
        assert_eq!(ledger.news(), [(hash(100), 10)]);
    }

    #[test]
    fn only_what_nothing_needs_is_collected_and_never_under_an_upload() {
        let mut ledger = ChunkLedger::new(vec![hash(1), hash(2), hash(9)]);
        assert_eq!(ledger.welcome(hash(1)), Welcome::Known);
        ledger.learn(hash(100), &manifest(&[1, 2]));
        ledger.learn(hash(101), &manifest(&[2, 3]));
        let asked = ledger.now();
        ledger.learn(hash(100), &manifest(&[1, 2]));
        let known = BTreeSet::from([hash(101)]);
        assert_eq!(ledger.keep_only(&known, asked), [hash(9)], "100 was registered again");
        assert_eq!(ledger.keep_only(&known, ledger.now()), [hash(1)]);
        assert_eq!(ledger.welcome(hash(1)), Welcome::Later, "until it is really gone");
        ledger.gone(hash(1));
        assert_eq!(ledger.welcome(hash(1)), Welcome::Unwanted);
        assert_eq!(ledger.welcome(hash(3)), Welcome::Wanted);
    }
}
