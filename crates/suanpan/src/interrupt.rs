//! Ctrl-C and SIGTERM, for verbs that have something to tidy up.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::signal::unix::{SignalKind, signal};

/// Counts the requests to stop that this process received.
#[derive(Clone, Debug)]
pub struct Interrupts(Arc<AtomicUsize>);

impl Interrupts {
    /// Starts counting, on a thread of its own. From here on the signals end nothing by
    /// themselves.
    pub fn watch() -> std::io::Result<Interrupts> {
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        // The handlers are there before this returns, so that no early signal ends the process.
        let (mut interrupt, mut terminate, mut hangup) = {
            let _inside = runtime.enter();
            (
                signal(SignalKind::interrupt())?,
                signal(SignalKind::terminate())?,
                signal(SignalKind::hangup())?,
            )
        };
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            runtime.block_on(async {
                loop {
                    tokio::select! {
                        _ = interrupt.recv() => {}
                        _ = terminate.recv() => {}
                        _ = hangup.recv() => {}
                    }
                    counted.fetch_add(1, Ordering::SeqCst);
                }
            });
        })?;
        Ok(Interrupts(count))
    }

    /// How many came so far.
    pub fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}
