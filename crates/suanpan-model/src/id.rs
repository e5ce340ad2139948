//! Identifiers. Each is a number with a type of its own, so that a job can never be passed where
//! an allocation is meant.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash,
            Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number_id!(
    /// A job, as people see it: a small decimal number. An array job takes a run of consecutive
    /// numbers; its task at position `k` is the job `base + k`, as in Slurm every array task has
    /// a job id of its own.
    JobId(u64)
);
number_id!(
    /// Resources committed to one attempt of one task, from placement to end. Never reused.
    AllocationId(u64)
);
number_id!(
    /// Which version of the order for an allocation this is. Agents refuse older ones.
    Generation(u32)
);
number_id!(
    /// One workload manager at a site.
    ClusterId(u32)
);
number_id!(
    /// One version of a dataset. Never reused.
    DatasetId(u64)
);
number_id!(
    /// Position of a record in the journal; the first is 1.
    Seq(u64)
);

/// BLAKE3 hash that names a blob (a script, a launch document).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobHash(pub [u8; 32]);

impl BlobHash {
    /// Reads 64 hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<BlobHash> {
        let bytes = text.as_bytes();
        if bytes.len() != 64 {
            return None;
        }
        let mut out = [0u8; 32];
        for (slot, pair) in out.iter_mut().zip(bytes.chunks_exact(2)) {
            let digit = |b: u8| (b as char).to_digit(16);
            *slot = (digit(pair[0])? * 16 + digit(pair[1])?) as u8;
        }
        Some(BlobHash(out))
    }
}

impl fmt::Display for BlobHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0u8; 64];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        f.write_str(std::str::from_utf8(&text).expect("hexadecimal digits are ASCII"))
    }
}

impl fmt::Debug for BlobHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlobHash({self})")
    }
}

impl Serialize for BlobHash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for BlobHash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        BlobHash::from_hex(&text)
            .ok_or_else(|| serde::de::Error::custom("a blob hash is 64 hexadecimal digits"))
    }
}
