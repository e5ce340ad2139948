//! Where tests find public logs that are not part of the repository.

use std::path::{Path, PathBuf};

/// The file of this name below `shared/data`, looked for beside each folder above this crate. Says
/// so if it is not there: its test then checks nothing.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let found = above.map(|folder| folder.join("shared/data").join(name)).find(|at| at.is_file());
    if found.is_none() {
        println!("skipped: shared/data/{name} is not here");
    }
    found
}
