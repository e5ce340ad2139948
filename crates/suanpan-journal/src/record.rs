//! The values that go into the journal and come out of it.

use std::fmt;

/// A BLAKE3 hash: of a blob's bytes, or of a record and everything before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// What the first record's chain link stands on: 32 zero bytes.
    pub const GENESIS: Hash = Hash([0; 32]);

    /// The hash by which a blob with these bytes is found.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Hash {
        Hash(*blake3::hash(bytes).as_bytes())
    }

    /// The hash of the record after the one with this hash.
    #[must_use]
    pub fn next(&self, seq: u64, at_us: i64, body: &[u8]) -> Hash {
        let mut prefix = [0; 48];
        prefix[..32].copy_from_slice(&self.0);
        prefix[32..40].copy_from_slice(&seq.to_le_bytes());
        prefix[40..].copy_from_slice(&at_us.to_le_bytes());
        let mut hasher = blake3::Hasher::new();
        hasher.update(&prefix).update(body);
        Hash(*hasher.finalize().as_bytes())
    }

    /// Reads 64 hexadecimal digits, as [`fmt::Display`] writes them; `None` for anything else.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Hash> {
        blake3::Hash::from_hex(text).ok().map(|hash| Hash(*hash.as_bytes()))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(blake3::Hash::from_bytes(self.0).to_hex().as_str())
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

/// One record to be made durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    /// One more than the record before it.
    pub seq: u64,
    /// Microseconds since 1970-01-01 UTC, as the sequencer decided.
    pub at_us: i64,
    /// What the record says; the journal does not look inside.
    pub body: Vec<u8>,
}

/// A body too large for a record (a script), found again by its hash. It becomes durable in the
/// same transaction as the records that name it. Storing the same bytes again costs a look-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// [`Hash::of`] the body.
    pub hash: Hash,
    /// The bytes.
    pub body: Vec<u8>,
}

impl Blob {
    /// A blob with the hash of its bytes.
    #[must_use]
    pub fn new(body: Vec<u8>) -> Blob {
        Blob { hash: Hash::of(&body), body }
    }
}

/// One record as it was read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRecord {
    /// Its place in the journal, counted from 1.
    pub seq: u64,
    /// Microseconds since 1970-01-01 UTC.
    pub at_us: i64,
    /// What the record says.
    pub body: Vec<u8>,
    /// CRC-32 (IEEE) of the body.
    pub checksum: u32,
    /// The chain's hash up to and including this record.
    pub hash: Hash,
}
