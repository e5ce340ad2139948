//! Data at a site: datasets cut into chunks, the store that holds them, and the trees that jobs
//! read.
//!
//! Below the data directory (`data/` in the state directory, or `[data] dir` of the site file):
//!
//! ```text
//! lock                 held by the agent that uses it
//! manifests/<hash>     manifests that are known, as they were hashed
//! chunks/ab/<hash>     verified chunks that are in no tree
//! trees/<manifest>/    whole replicas, read-only: what jobs see
//! building/<manifest>/ files of a replica that is not whole yet
//! damaged/<manifest>-<file>   chunks of a file that were found changed
//! incoming/ removing/  temporary names; emptied at the start
//! ```
//!
//! A byte is on disk once: once a file of a replica is assembled, its chunks are read from it, to
//! be sent to other sites or to make other replicas, and their own files go.

pub mod board;
pub mod chunker;
pub mod contract;
pub mod fetch;
pub mod keeper;
mod materialize;
pub mod pace;
mod publish;
mod relay;
mod room;
pub mod store;
pub mod talk;
pub mod transfer;

use crate::client::Client;
use crate::config::Shutdown;
use crate::peer::{Dialer, Directory};
use crate::probe::Prober;
use board::Board;
use fetch::Sources;
use keeper::{Keeper, Parts};
use std::sync::Arc;
use store::Store;
use talk::DataOutbox;

/// What the data of a site needs of the rest of the agent.
pub(crate) struct Setting {
    /// Name of the site.
    pub(crate) site: String,
    /// The control plane.
    pub(crate) client: Arc<Client>,
    /// The chunks and replicas.
    pub(crate) store: Arc<Store>,
    /// What the drivers ask for.
    pub(crate) board: Board,
    /// The agents of other sites, by the latest answer.
    pub(crate) directory: Directory,
    /// Reaches them, if this site takes part in the network of sites.
    pub(crate) dialer: Option<Dialer>,
    /// What waits to be told.
    pub(crate) outbox: DataOutbox,
    /// Measures the links that lead here, and learns from transfers.
    pub(crate) prober: Prober,
    /// How long one poll waits at the server, seconds.
    pub(crate) poll_wait_s: u32,
}

/// Starts the threads; like the agent's others they are not joined.
///
/// # Errors
/// If the system has no more threads.
pub(crate) fn start(setting: Setting, shutdown: &Shutdown) -> std::io::Result<()> {
    let Setting { site, client, store, board, directory, dialer, outbox, prober, poll_wait_s } =
        setting;
    let (told, learns) = (outbox.clone(), prober.clone());
    let keeper = Keeper::new(Parts {
        site,
        store,
        client: Arc::clone(&client),
        fetch: Arc::new(Sources { dialer, client: Arc::clone(&client), prober: prober.clone() }),
        board,
        tell: Box::new(move |reports| {
            learns.heed_transfers(&reports);
            told.push(reports);
        }),
        shutdown: shutdown.clone(),
    });
    let thread = |name: &str| std::thread::Builder::new().name(name.to_owned());
    let k = Arc::clone(&keeper);
    thread("data").spawn(move || k.run())?;
    let (c, end) = (Arc::clone(&client), shutdown.clone());
    thread("data-report").spawn(move || outbox.send(&c, &end))?;
    let end = shutdown.clone();
    thread("data-poll")
        .spawn(move || talk::poll(&client, (&keeper, &prober), &directory, &end, poll_wait_s))?;
    Ok(())
}
