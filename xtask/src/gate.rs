//! Gates: one file per gate under `gate/`, listed here by name.
//!
//! A gate compares what the product gives with published figures, on public data that is not part
//! of the repository; it fails if they do not agree, and prints what it compared.

mod openb;

pub use openb::study as openb_study;

use crate::runs::Run;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// Every gate, in the order of the list.
pub const GATES: &[Run] = &[Run {
    name: "openb",
    about: "packing: published means of six policies on 17 pod lists, and ours against FGD",
    run: openb::run,
}];

/// A file or folder of public data, `shared/data/<name>` beside a parent of this crate.
///
/// # Errors
/// If it is not there.
pub fn public_data(name: &str) -> Result<PathBuf> {
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let mut near = above.map(|folder| folder.join("shared/data").join(name));
    near.find(|path| path.exists())
        .with_context(|| format!("there is no shared/data/{name} beside the repository"))
}
