//! Idempotency keys of recent submissions.

use crate::command::IdempotencyKey;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use suanpan_model::id::JobId;
use suanpan_model::time::{Seconds, Timestamp};

/// How long a key is remembered.
pub(crate) const KEPT: Seconds = Seconds(24 * 3600);

/// Keys of recent submissions and what they made.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Keys {
    /// In order of submission.
    order: VecDeque<(Timestamp, u128)>,
    #[serde(with = "pairs")]
    by_key: BTreeMap<u128, Made>,
}

/// What a submission made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Made {
    pub(crate) body: u64,
    pub(crate) first: JobId,
    pub(crate) count: u32,
}

impl Keys {
    pub(crate) fn get(&self, key: u128) -> Option<Made> {
        self.by_key.get(&key).copied()
    }

    pub(crate) fn insert(&mut self, at: Timestamp, key: IdempotencyKey, made: Made) {
        self.order.push_back((at, key.key));
        self.by_key.insert(key.key, made);
    }

    /// Whether so many keys are past their time that forgetting them is worth a record.
    pub(crate) fn are_due(&self, at: Timestamp) -> bool {
        self.order.front().is_some_and(|(made, _)| at.since(*made).0 > KEPT.0 + 600)
    }

    pub(crate) fn forget_before(&mut self, before: Timestamp) {
        while let Some((made, key)) = self.order.front().copied()
            && made < before
        {
            self.order.pop_front();
            self.by_key.remove(&key);
        }
    }
}

/// The map as a list of pairs: JSON object keys would be read back through text.
mod pairs {
    use super::{BTreeMap, Made};
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        map: &BTreeMap<u128, Made>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<u128, Made>, D::Error> {
        Ok(Vec::<(u128, Made)>::deserialize(deserializer)?.into_iter().collect())
    }
}
