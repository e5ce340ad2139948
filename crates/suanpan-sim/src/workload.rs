//! What runs: importers of public logs, one file per format, and synthetic generators.
//!
//! An importer takes a text that was read, the name to call it by in messages, and how strict to
//! be; it gives an [`Imported`](crate::problem::Imported). It never opens a file itself, so it can
//! be fuzzed.

pub mod gavel;
pub mod sia;
pub mod table;
