//! Public inputs that are not part of the repository.

use std::path::{Path, PathBuf};

/// A file or folder of the collection of public inputs, or nothing, loudly, if it is not there: the
/// collection is a folder `shared/data` beside some folder above this one.
pub fn find(name: &str) -> Option<PathBuf> {
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let found = above.map(|folder| folder.join("shared/data").join(name)).find(|at| at.exists());
    if found.is_none() {
        eprintln!("SKIPPED: no shared/data/{name} above this crate: it was not checked");
    }
    found
}

/// The bytes of a file, or nothing, loudly, as [`find`].
#[allow(dead_code, reason = "each test file is a crate of its own and uses what it needs")]
pub fn read(name: &str) -> Option<Vec<u8>> {
    Some(suanpan_sim::input::read(&find(name)?).expect("the collection can be read"))
}
