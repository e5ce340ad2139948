//! What a site puts into the control plane's store, for sites that cannot reach it.

use super::keeper::Keeper;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use suanpan_model::id::BlobHash;
use suanpan_model::network::streams;
use suanpan_wire::agent_data::DataAnswer;

impl Keeper {
    /// Puts chunks into the control plane's store for sites that cannot reach this one.
    pub(super) fn relay(self: &Arc<Keeper>, answer: &DataAnswer) {
        let mut state = self.state();
        let due: Vec<BlobHash> =
            answer.relay.iter().filter(|hash| !state.relayed.contains(hash)).copied().collect();
        state.relayed.retain(|hash| answer.relay.contains(hash));
        drop(state);
        self.each_alone("relay", due, |keeper, hash| {
            keeper.relay_one(hash)?;
            keeper.state().relayed.insert(hash);
            Ok(())
        });
    }

    /// Sends what the store has not, over as many connections as a transfer has, so that a long
    /// link does not idle while one of them waits for its answer. What is there stays there: a
    /// relay that is killed goes on where it was.
    fn relay_one(&self, hash: BlobHash) -> Result<(), String> {
        let bytes = self.manifest(hash)?.bytes();
        let missing = self.parts.client.missing_chunks(hash).map_err(|error| error.to_string())?;
        // What is not here another site may put there.
        let here = missing.chunks.into_iter().filter(|chunk| self.parts.store.has(*chunk));
        let queue = Mutex::new(here.collect());
        std::thread::scope(|scope| {
            let senders: Vec<_> =
                (0..streams(bytes)).map(|_| scope.spawn(|| self.send_all(&queue))).collect();
            senders.into_iter().try_for_each(|one| one.join().expect("a sender does not panic"))
        })
    }

    fn send_all(&self, queue: &Mutex<VecDeque<BlobHash>>) -> Result<(), String> {
        let next = || queue.lock().expect("no holder of this lock panics").pop_front();
        while let Some(chunk) = next() {
            let found = self.parts.store.get(chunk).map_err(|error| error.to_string())?;
            let Some(bytes) = found else { continue };
            let delay = self.uploads.delay(None, bytes.len() as u64);
            if self.parts.shutdown.wait(delay) {
                return Err("the agent ends".to_owned());
            }
            let put = self.parts.client.put_chunk(chunk, &bytes);
            put.map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}
