//! Data at the control plane: the object store, which is one place among those that hold
//! replicas, and what agents are told to hold.
//!
//! - [`store`] keeps chunks in a directory or a bucket.
//! - [`ledger`] knows, in memory, which chunks are there and which manifests need them.
//! - [`answer`] makes of the state what one agent is to do about data.
//! - [`limits`] says how much a link may carry now.
//!
//! A manifest is registered before its chunks are sent, and a chunk that no manifest needs is not
//! taken: so an upload is resumed by registering again, and nothing that is being uploaded can be
//! collected as garbage.

pub mod answer;
mod hub;
pub mod ledger;
pub mod limits;
pub mod store;

pub use hub::{DataHub, DataOptions, Taken, read_manifest};
