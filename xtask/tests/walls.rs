//! Proof that the lint walls stand: clippy itself is run on a small crate that climbs over them.

use std::path::Path;
use std::process::{Command, Output};

use xtask::{layers, repo, tiers, walls};

/// What each line of the bad crate must be refused for.
const REFUSED: [(&str, &str); 8] = [
    (
        "std::collections::HashMap",
        "pub fn a() -> usize { std::collections::HashMap::<u8, u8>::new().len() }",
    ),
    (
        "std::collections::HashSet",
        "pub fn b(x: &std::collections::HashSet<u8>) -> usize { x.len() }",
    ),
    ("std::time::Instant::now", "pub fn c() { let _ = std::time::Instant::now(); }"),
    ("std::time::SystemTime::now", "pub fn d() { let _ = std::time::SystemTime::now(); }"),
    ("std::thread::sleep", "pub fn e() { std::thread::sleep(std::time::Duration::ZERO); }"),
    ("std::fs::read", "pub fn f() { let _ = std::fs::read(\"x\"); }"),
    ("std::env::var", "pub fn g() { let _ = std::env::var(\"x\"); }"),
    ("std::process::id", "pub fn h() -> u32 { std::process::id() }"),
];

#[test]
fn clippy_refuses_what_the_walls_name() {
    if !tiers::has_subcommand("clippy") {
        eprintln!("skipped: `cargo clippy` is not installed");
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    write_crate(folder.path());

    let bad: Vec<String> =
        REFUSED.iter().map(|(_, line)| format!("/// Climbs.\n{line}\n")).collect();
    let refused = clippy(folder.path(), &bad.concat());
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success(), "clippy let a climber through:\n{said}");
    for (path, line) in REFUSED {
        assert!(said.contains(&format!("`{path}`")), "not refused: {line}\n{said}");
    }

    let good =
        "use std::collections::BTreeMap;\n/// Stays inside.\npub type M = BTreeMap<u8, u8>;\n";
    let passed = clippy(folder.path(), good);
    let said = String::from_utf8_lossy(&passed.stderr);
    assert!(passed.status.success(), "clippy refused a pure crate:\n{said}");
    assert!(!said.contains("warning"), "the wall itself is not sound:\n{said}");
}

/// A crate with the workspace's own lint levels and the pure crates' own walls.
fn write_crate(folder: &Path) {
    let model = layers::TABLE[0].name;
    let wall = std::fs::read_to_string(repo::root().join(format!("crates/{model}/clippy.toml")))
        .expect("a pure crate has its clippy.toml");
    assert_eq!(wall, walls::PURE_CLIPPY);
    let root: toml::Table = std::fs::read_to_string(repo::root().join("Cargo.toml"))
        .expect("the workspace has a Cargo.toml")
        .parse()
        .expect("Cargo.toml is TOML");
    let lints = toml::Table::from_iter([("lints".to_owned(), root["workspace"]["lints"].clone())]);
    let manifest =
        format!("[package]\nname = \"climber\"\nedition = \"2024\"\n\n[workspace]\n\n{lints}");
    std::fs::create_dir(folder.join("src")).expect("the folder is ours");
    std::fs::write(folder.join("Cargo.toml"), manifest).expect("the folder is ours");
    std::fs::write(folder.join("clippy.toml"), wall).expect("the folder is ours");
}

fn clippy(folder: &Path, source: &str) -> Output {
    std::fs::write(folder.join("src/lib.rs"), format!("//! A crate.\n{source}"))
        .expect("the folder is ours");
    // A changed file of the same second must not look fresh.
    let _ = std::fs::remove_dir_all(folder.join("target"));
    tiers::clean_env(Command::new("cargo"))
        .args(["clippy", "--offline", "--quiet"])
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", folder.join("target"))
        .output()
        .expect("cargo can be run")
}
