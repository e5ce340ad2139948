//! What runs: importers of public logs, one file per format, and synthetic generators.
//!
//! An importer takes a text that was read, the name to call it by in messages, and how strict to
//! be; it gives an [`Imported`](crate::problem::Imported), or what was [`job::Loaded`] into the one
//! form of a job. It never opens a file itself, so it can be fuzzed.

mod format;
pub mod gavel;
pub mod generate;
pub mod job;
pub mod journal;
pub mod kueue;
pub mod openb;
pub mod philly;
pub mod sacct;
pub mod sia;
pub mod swf;
mod table;
mod window;

pub use format::{Content, FILTERS, Format, read};
pub use window::{A_MOMENT, Window};
