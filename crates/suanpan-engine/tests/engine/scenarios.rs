//! Runs every `scenarios/*.txt`: a script of commands with the expected output beside it.
//! `UPDATE=1 cargo test -p suanpan-engine --test engine` rewrites the output.

use crate::world;
use std::path::PathBuf;

/// The scenarios, by name.
pub fn scenario_files() -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../scenarios");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the scenarios folder can be read")
        .map(|entry| entry.expect("its entries can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    files.sort();
    files
}

#[test]
fn every_scenario_prints_what_it_says() {
    let update = std::env::var_os("UPDATE").is_some();
    let mut wrong = Vec::new();
    let files = scenario_files();
    assert!(!files.is_empty(), "there are scenarios to run");
    for path in files {
        let text = std::fs::read_to_string(&path).expect("scenario files are UTF-8");
        let printed = world::run(&text);
        if printed == text {
            continue;
        }
        if update {
            std::fs::write(&path, printed).expect("scenario files can be written");
        } else {
            wrong.push(format!("--- {}\n{}", path.display(), world::difference(&text, &printed)));
        }
    }
    assert!(wrong.is_empty(), "output differs (UPDATE=1 rewrites it):\n{}", wrong.join("\n"));
}
