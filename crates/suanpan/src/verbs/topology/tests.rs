//! The shipped library is whole.

use super::library::LIBRARY;

#[test]
fn every_fabric_of_the_library_is_shipped() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fabrics");
    let files = std::fs::read_dir(folder).expect("the library is in the repository");
    let mut names: Vec<String> = files
        .map(|file| file.expect("the folder can be listed").file_name())
        .filter_map(|name| Some(name.to_str()?.strip_suffix(".fabric.toml")?.to_owned()))
        .collect();
    names.sort();
    let shipped: Vec<&str> = LIBRARY.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, shipped);
}
