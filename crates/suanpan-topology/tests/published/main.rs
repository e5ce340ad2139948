//! Fabrics, traffic and distances against public data and numbers measured with other programs,
//! where the data lies in `shared/data` beside a folder above this one; skipped, in words, where it
//! does not.
#![expect(clippy::disallowed_methods, reason = "tests read data from beside the repository")]
#![expect(clippy::disallowed_macros, reason = "a test says that it was skipped")]

use std::path::Path;

mod fabrics;
mod jobs;
mod mappings;

/// The text of a file of the shared data, if it is there.
fn shared(path: &str) -> Option<String> {
    let folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let found = folders
        .map(|folder| folder.join("shared/data").join(path))
        .find_map(|file| std::fs::read_to_string(file).ok());
    if found.is_none() {
        println!("skipped: no shared/data/{path} beside this folder or above it");
    }
    found
}
