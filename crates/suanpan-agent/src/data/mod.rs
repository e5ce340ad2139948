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

pub mod chunker;
mod materialize;
pub mod store;
