//! Which crate may depend on which: the layer table, held against every `Cargo.toml`.

use std::collections::BTreeSet;

use toml::{Table, Value};

use crate::repo::{Finding, Repo};
use crate::walls;

/// Whether a crate may ask the world anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purity {
    /// No clock, no I/O, no randomness, no map with a random order.
    Pure,
    /// May do what its task needs.
    Effects,
}

/// One row of the layer table.
pub struct Layer {
    /// The crate's name, which is its folder's name too.
    pub name: &'static str,
    /// Whether the lint walls stand around it.
    pub purity: Purity,
    /// Outside crates a pure crate may use (dev-dependencies are free).
    pub outside: &'static [&'static str],
    /// Crates above it that it must not use all the same.
    pub never: &'static [&'static str],
}

const fn pure(name: &'static str, outside: &'static [&'static str]) -> Layer {
    Layer { name, purity: Purity::Pure, outside, never: &[] }
}

const fn effects(name: &'static str, never: &'static [&'static str]) -> Layer {
    Layer { name, purity: Purity::Effects, outside: &[], never }
}

/// The layers. A crate may depend only on crates above it.
pub const TABLE: &[Layer] = &[
    pure("suanpan-model", &["serde"]),
    pure("suanpan-ledger", &["serde"]),
    pure("suanpan-topology", &["serde"]),
    pure("suanpan-sched", &["serde"]),
    pure("suanpan-site", &["serde"]),
    pure("suanpan-engine", &["serde", "serde_json", "blake3"]),
    effects("suanpan-wire", &[]),
    // The journal knows bytes and sequence numbers, not jobs.
    effects(
        "suanpan-journal",
        &[
            "suanpan-model",
            "suanpan-ledger",
            "suanpan-topology",
            "suanpan-sched",
            "suanpan-site",
            "suanpan-engine",
            "suanpan-wire",
        ],
    ),
    // An agent runs beside somebody else's cluster and holds no state of the network.
    effects("suanpan-agent", &["suanpan-engine", "suanpan-journal", "suanpan-server"]),
    effects("suanpan-server", &["suanpan-agent"]),
    effects("suanpan-sim", &[]),
    effects("suanpan", &[]),
    effects("xtask", &[]),
];

/// Every crate keeps to the table, inherits the workspace's lints, is described in
/// `ARCHITECTURE.md`, and, if pure, has its lint walls.
pub fn check(repo: &Repo) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in repo.texts_ending(&["Cargo.toml"]) {
        let is_member = path == "xtask/Cargo.toml"
            || (path.starts_with("crates/") && path.matches('/').count() == 2);
        if !is_member {
            continue;
        }
        match text.parse::<Table>() {
            Ok(manifest) => findings.extend(check_manifest(repo, path, &manifest)),
            Err(error) => findings.push(Finding::new(path, 0, format!("not TOML: {error}"))),
        }
    }
    findings.extend(walls::check(repo));
    findings
}

fn check_manifest(repo: &Repo, path: &str, manifest: &Table) -> Vec<Finding> {
    let folder = path.trim_end_matches("/Cargo.toml").rsplit('/').next().unwrap_or_default();
    let name = manifest
        .get("package")
        .and_then(|package| package.get("name"))
        .and_then(Value::as_str)
        .unwrap_or_default();
    let mut texts = Vec::new();
    if name != folder {
        texts.push(format!("package `{name}` lies in folder `{folder}`: they are the same word"));
    }
    let Some(row) = TABLE.iter().position(|layer| layer.name == name) else {
        texts.push(format!(
            "`{name}` is not in the layer table: give it a row in xtask/src/layers.rs"
        ));
        return texts.into_iter().map(|text| Finding::new(path, 0, text)).collect();
    };
    let inherits = manifest.get("lints").and_then(|lints| lints.get("workspace"));
    if inherits.and_then(Value::as_bool) != Some(true) {
        texts.push("does not inherit the lints: add `[lints] workspace = true`".to_owned());
    }
    texts.extend(check_dependencies(row, manifest));
    texts.extend(check_architecture(name, repo.text("ARCHITECTURE.md").unwrap_or_default()));
    texts.into_iter().map(|text| Finding::new(path, 0, text)).collect()
}

fn check_dependencies(row: usize, manifest: &Table) -> Vec<String> {
    let layer = &TABLE[row];
    let above: BTreeSet<&str> = TABLE[..row].iter().map(|layer| layer.name).collect();
    let mut texts = Vec::new();
    for (kind, name) in dependencies(manifest) {
        let is_ours = TABLE.iter().any(|layer| layer.name == name) || name.starts_with("suanpan");
        if is_ours && layer.never.contains(&name) {
            texts.push(format!("`{}` must never depend on `{name}`", layer.name));
        } else if is_ours && !above.contains(name) {
            texts.push(format!(
                "depends on `{name}`, which is not above `{}` in the layer table",
                layer.name
            ));
        } else if !is_ours
            && layer.purity == Purity::Pure
            && kind != "dev-dependencies"
            && !layer.outside.contains(&name)
        {
            texts.push(format!(
                "a pure crate uses outside crate `{name}`; allowed here: {}",
                layer.outside.join(", ")
            ));
        }
    }
    texts
}

/// Kind and name of every dependency, those of one target platform included. A renamed dependency
/// goes by the name of its package.
fn dependencies(manifest: &Table) -> Vec<(&'static str, &str)> {
    const KINDS: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];
    let platforms = manifest.get("target").and_then(Value::as_table);
    let tables = std::iter::once(manifest)
        .chain(platforms.into_iter().flat_map(Table::values).filter_map(Value::as_table));
    let mut found = Vec::new();
    for table in tables {
        for kind in KINDS {
            let entries = table.get(kind).and_then(Value::as_table);
            for (key, value) in entries.into_iter().flatten() {
                let package = value.get("package").and_then(Value::as_str);
                found.push((kind, package.unwrap_or(key)));
            }
        }
    }
    found
}

/// A crate has a heading of its own, then a paragraph, then its invariant.
fn check_architecture(name: &str, architecture: &str) -> Option<String> {
    let heading = format!("### `{name}`");
    let mut lines = architecture.lines().skip_while(|line| *line != heading);
    if lines.next().is_none() {
        return Some(format!("ARCHITECTURE.md has no paragraph for it: add `{heading}`"));
    }
    let section: Vec<&str> = lines.take_while(|line| !line.starts_with('#')).collect();
    let words: usize = section.iter().map(|line| line.split_whitespace().count()).sum();
    if words < 15 {
        return Some(format!("`{heading}` in ARCHITECTURE.md has no paragraph under it"));
    }
    let has_invariant = section.iter().any(|line| line.starts_with("**Invariant"));
    (!has_invariant).then(|| format!("`{heading}` in ARCHITECTURE.md names no **Invariant**"))
}

#[cfg(test)]
mod tests;
