//! The thread that makes batches durable: one transaction and one sync each.

use std::sync::Arc;
use std::time::Instant;

use suanpan_journal::{Append, Blob, Error, Journal};

use super::batch::{Batch, Path};
use super::mode::Mode;
use super::publish::Publisher;
use super::{Failure, Shared};

/// What keeps batches. Tests put slow and failing ones here.
pub(crate) trait Store: Send {
    /// See [`Journal::append`].
    fn append(&mut self, batch: &[Append], blobs: &[Blob]) -> Result<(), Error>;
}

impl Store for Journal {
    fn append(&mut self, batch: &[Append], blobs: &[Blob]) -> Result<(), Error> {
        Journal::append(self, batch, blobs)
    }
}

/// The thread that makes batches durable and then lets them be seen.
pub(crate) struct JournalThread<S> {
    pub(crate) shared: Arc<Shared>,
    pub(crate) store: S,
    pub(crate) publisher: Publisher,
}

impl<S: Store> JournalThread<S> {
    /// Works until the sequencer closes the path or the store fails; gives the store back.
    pub(crate) fn run(mut self) -> S {
        let _guard = self.shared.mode.guard("journal");
        let shared = Arc::clone(&self.shared);
        let _close = CloseOnExit(&shared);
        while let Some(batch) = shared.handover.take() {
            match self.keep(&batch) {
                Ok(()) => self.publisher.publish(batch),
                Err(error) if error.is_disk_full() => {
                    tracing::error!(%error, "refusing writes until there is room");
                    shared.metrics.disk_full.set(1);
                    shared.mode.worsen(Mode::DiskFull);
                    shared.handover.stop(Path::Broken, &Failure::DiskFull);
                    batch.fail(&Failure::DiskFull);
                }
                Err(error) => {
                    tracing::error!(%error, "the journal failed: the server ends");
                    shared.mode.worsen(Mode::Failed(error.to_string()));
                    shared.handover.stop(Path::Closed, &Failure::Stopping);
                    batch.fail(&Failure::Stopping);
                    break;
                }
            }
        }
        self.store
    }

    fn keep(&mut self, batch: &Batch) -> Result<(), Error> {
        if batch.appends.is_empty() {
            // Only rejections and questions: they waited for what was before them.
            return Ok(());
        }
        let began = Instant::now();
        self.store.append(&batch.appends, &batch.blobs)?;
        self.shared.metrics.synced(batch.appends.len(), batch.bytes, began.elapsed());
        Ok(())
    }
}

/// Lets the sequencer not wait for a journal's thread that is gone.
struct CloseOnExit<'a>(&'a Shared);

impl Drop for CloseOnExit<'_> {
    fn drop(&mut self) {
        self.0.handover.stop(Path::Closed, &Failure::Stopping);
    }
}
