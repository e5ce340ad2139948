//! The committed fabrics are what they say, and the committed schema is the generated one.
#![expect(clippy::disallowed_methods, reason = "the library and its schema are files")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use suanpan_topology::distance::{Distances, UNREACHABLE};
use suanpan_topology::document::FabricDocument;
use suanpan_topology::document::schema::json_schema;
use suanpan_topology::fabric::Fabric;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fabrics")
}

fn library() -> BTreeMap<String, FabricDocument> {
    let files = std::fs::read_dir(folder()).expect("the library is in the repository");
    let mut library = BTreeMap::new();
    for file in files {
        let path = file.expect("the folder can be listed").path();
        let name = path.file_name().expect("a file has a name").to_string_lossy().into_owned();
        let Some(name) = name.strip_suffix(".fabric.toml") else { continue };
        let text = std::fs::read_to_string(&path).expect("it can be read");
        let document = toml::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        library.insert(name.to_owned(), document);
    }
    library
}

fn diameter(fabric: &Fabric) -> Option<u32> {
    Distances::hops(fabric, &fabric.slots()).expect("slots exist").diameter()
}

#[test]
fn every_fabric_builds_and_says_where_its_numbers_are_from() {
    let library = library();
    assert!(library.len() >= 10, "{} fabrics", library.len());
    for (name, document) in &library {
        assert_eq!(*name, document.name);
        assert!(!document.about.is_empty() && !document.sources.is_empty(), "{name}");
        let fabric = document.build().unwrap_or_else(|problem| panic!("{name}: {problem}"));
        assert!(fabric.links().iter().all(|link| link.bandwidth.0 > 0), "{name}");
        let has_ports = !fabric.ports().is_empty();
        assert!(diameter(&fabric).is_some() || has_ports, "{name} is not connected");
    }
}

/// Slots, usable links and diameter in hops.
#[test]
fn the_fabrics_have_their_published_sizes() {
    for (name, slots, links, hops) in [
        ("wse2", 84, 12 * 6 + 11 * 7, Some(17)),
        ("dojo-tiles", 150, 9 * 15 + 10 * 14, Some(23)),
        ("tpu-v4-8x8x8", 512, 3 * 512, Some(12)),
        ("tpu-v4-4x4x8", 128, 3 * 128, Some(8)),
        ("tpu-v4-4x8x8", 256, 3 * 256, Some(10)),
        ("tpu-v4-4x4x8-twisted", 128, 3 * 128, Some(6)),
        ("tpu-v4-4x8x8-twisted", 256, 3 * 256, Some(6)),
        ("tpu-v4-pod", 4096, 0, None),
        ("gb200-nvl72-row", 576, 576 * 2 + 32 * 9, Some(4)),
        ("cloudmatrix384", 384, 384 + 48, Some(4)),
        ("chinanet", 38, 62, Some(4)),
        ("cernet", 37, 55, Some(5)),
        ("sdsow-300mm", 251, 441, Some(24)),
        ("wafer-16x16-defects", 243, 420, Some(30)),
    ] {
        let fabric = library()[name].build().expect(name);
        let found = (fabric.slots().len(), fabric.usable_links(), diameter(&fabric));
        assert_eq!(found, (slots, links, hops), "{name}");
    }
}

/// What is left of the wafer is connected but for dies whose links are all dead.
#[test]
fn the_software_defined_wafer_holds_together() {
    let fabric = library()["sdsow-300mm"].build().expect("it is right");
    let slots = fabric.slots();
    assert!((200..300).contains(&slots.len()), "{} dies", slots.len());
    let hops = Distances::hops(&fabric, &slots).expect("slots exist");
    assert!((0..slots.len()).all(|b| hops.between(0, b) != UNREACHABLE));
    assert!(fabric.ports().iter().all(|ports| ports.degree == 4));
}

#[test]
fn the_example_of_the_readme_is_a_fabric() {
    let readme = std::fs::read_to_string(folder().join("README.md")).expect("it can be read");
    let example = readme.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next());
    let document: FabricDocument =
        toml::from_str(example.expect("there is one")).expect("its types fit");
    let fabric = document.build().expect("it is right");
    assert_eq!((fabric.slots().len(), fabric.usable_links()), (15, 32 - 4 - 1));
}

#[test]
fn the_committed_schema_is_the_generated_one() {
    let path = folder().join("fabric.schema.json");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, json_schema()).expect("the folder can be written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(committed, json_schema(), "run this test with UPDATE=1");
}
