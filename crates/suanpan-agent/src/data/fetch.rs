//! How chunks are asked for, at another site or at the control plane's store.

use crate::client::{Client, ClientError};
use crate::peer::{Dialer, Held, Link};
use crate::probe::{Moving, Prober};
use std::collections::VecDeque;
use std::sync::Arc;
use suanpan_model::id::BlobHash;
use suanpan_wire::agent_data::ChunkSource;

/// Reaches sources of chunks.
pub trait Fetch: Send + Sync {
    /// Opens a stream.
    ///
    /// # Errors
    /// In words, if the source cannot be reached.
    fn connect(&self, source: &ChunkSource) -> Result<Box<dyn Stream>, String>;
}

/// A source of chunks that answers in the order it is asked.
pub trait Stream {
    /// Asks for chunks.
    ///
    /// # Errors
    /// In words; the stream is of no more use then.
    fn ask(&mut self, hashes: &[BlobHash]) -> Result<(), String>;

    /// Waits for the next chunk that was asked for: true, and its bytes in `bytes`, if the source
    /// has it. Nothing of them is verified.
    ///
    /// # Errors
    /// In words; the stream is of no more use then.
    fn next(&mut self, bytes: &mut Vec<u8>) -> Result<bool, String>;
}

/// Reaches what the control plane names: the agents of other sites and its own store.
pub(super) struct Sources {
    pub(super) dialer: Option<Dialer>,
    pub(super) client: Arc<Client>,
    /// Told of what comes from the store, so that it does not measure the link meanwhile.
    pub(super) prober: Prober,
}

impl Fetch for Sources {
    fn connect(&self, source: &ChunkSource) -> Result<Box<dyn Stream>, String> {
        match source {
            ChunkSource::Store { .. } => {
                let client = Arc::clone(&self.client);
                let (asked, _moving) = (VecDeque::new(), self.prober.store_moves());
                Ok(Box::new(StoreStream { client, asked, _moving }))
            }
            ChunkSource::Peer { site, .. } => {
                let Some(dialer) = &self.dialer else {
                    return Err("this site takes no part in the network of sites; expected the \
                                table [peer] in its site file"
                        .to_owned());
                };
                let link = dialer.connect(site).map_err(|error| error.to_string())?;
                Ok(Box::new(link))
            }
        }
    }
}

impl Stream for Link {
    fn ask(&mut self, hashes: &[BlobHash]) -> Result<(), String> {
        self.ask_chunks(hashes).map_err(|error| error.to_string())
    }

    fn next(&mut self, bytes: &mut Vec<u8>) -> Result<bool, String> {
        match self.next_chunk(bytes) {
            Ok(Some((_, held))) => Ok(held == Held::Here),
            Ok(None) => Err("nothing was asked for".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// The control plane's store, over the agent's own connection to it.
struct StoreStream {
    client: Arc<Client>,
    asked: VecDeque<BlobHash>,
    _moving: Moving,
}

impl Stream for StoreStream {
    fn ask(&mut self, hashes: &[BlobHash]) -> Result<(), String> {
        self.asked.extend(hashes);
        Ok(())
    }

    fn next(&mut self, bytes: &mut Vec<u8>) -> Result<bool, String> {
        let Some(hash) = self.asked.pop_front() else {
            return Err("nothing was asked for".to_owned());
        };
        match self.client.chunk(hash) {
            Ok(found) => {
                *bytes = found;
                Ok(true)
            }
            Err(ClientError::Status { status: 404, .. }) => Ok(false),
            Err(error) => Err(error.to_string()),
        }
    }
}
