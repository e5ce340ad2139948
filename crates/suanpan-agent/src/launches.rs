//! Launch documents that were fetched.

use crate::client::Client;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use suanpan_model::id::BlobHash;
use suanpan_model::job::Launch;

/// Launch documents kept in memory; the tasks of an array share one.
const LAUNCHES_KEPT: usize = 256;

/// Launch documents that were fetched, the latest ones.
#[derive(Default)]
pub(crate) struct Launches {
    documents: BTreeMap<BlobHash, Result<Arc<Launch>, String>>,
    order: VecDeque<BlobHash>,
}

impl Launches {
    /// The document, or why it can never be used.
    pub(crate) fn get(
        &mut self,
        client: &Client,
        hash: BlobHash,
    ) -> std::io::Result<Result<Arc<Launch>, String>> {
        if let Some(known) = self.documents.get(&hash) {
            return Ok(known.clone());
        }
        let bytes = client.blob(hash).map_err(|error| std::io::Error::other(error.to_string()))?;
        let document = serde_json::from_slice::<Launch>(&bytes).map(Arc::new).map_err(|error| {
            format!("the launch document is not understood by this agent: {error}")
        });
        self.documents.insert(hash, document.clone());
        self.order.push_back(hash);
        if self.order.len() > LAUNCHES_KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.documents.remove(&oldest);
        }
        Ok(document)
    }
}
