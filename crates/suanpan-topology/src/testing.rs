//! Public data that is measured against and never copied here.
#![expect(clippy::disallowed_methods, reason = "tests read data from beside the repository")]
#![expect(clippy::disallowed_macros, reason = "a test says that it was skipped")]

use std::path::Path;

/// The text of a file in `shared/data` beside the crate or one of the folders above it; none, and
/// a line that says so, if there is no such file.
pub(crate) fn shared(path: &str) -> Option<String> {
    let folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let found = folders
        .map(|folder| folder.join("shared/data").join(path))
        .find_map(|file| std::fs::read_to_string(file).ok());
    if found.is_none() {
        println!("skipped: no shared/data/{path} beside this folder or above it");
    }
    found
}
