use super::*;

const LINTS: &str = "[lints]\nworkspace = true\n";

/// Findings for one crate whose manifest is `name`, our lints, and `rest`.
fn findings(name: &str, rest: &str) -> Vec<String> {
    let manifest = format!("[package]\nname = \"{name}\"\n{LINTS}{rest}");
    let words = "word ".repeat(20);
    let architecture = format!("### `{name}`\n{words}\n\n**Invariant.** Holds.\n");
    let path = format!("crates/{name}/Cargo.toml");
    let repo = Repo::from_texts(&[
        (path.as_str(), manifest.as_str()),
        ("ARCHITECTURE.md", architecture.as_str()),
    ]);
    check(&repo)
        .into_iter()
        .map(|finding| finding.text)
        .filter(|text| !text.contains("walls/clippy.toml"))
        .collect()
}

#[test]
fn the_repository_keeps_its_layers() {
    let findings = check(&Repo::open().expect("the repository can be read"));
    assert!(findings.is_empty(), "{findings:#?}");
}

#[test]
fn a_crate_may_use_what_is_above_it() {
    let rest = "[dependencies]\nserde = \"1\"\nsuanpan-model.workspace = true\n";
    assert_eq!(findings("suanpan-sched", rest), Vec::<String>::new());
}

#[test]
fn a_dependency_downwards_is_found_in_every_kind_of_table() {
    for table in [
        "[dependencies]",
        "[dev-dependencies]",
        "[build-dependencies]",
        "[target.'cfg(unix)'.dependencies]",
    ] {
        let rest = format!("{table}\nsuanpan-engine.workspace = true\n");
        let found = findings("suanpan-sched", &rest);
        assert!(found[0].contains("not above"), "{table}: {found:?}");
    }
    let renamed = "[dependencies]\nmachine = { package = \"suanpan-engine\", path = \"x\" }\n";
    assert!(findings("suanpan-sched", renamed)[0].contains("suanpan-engine"));
}

#[test]
fn the_never_list_is_held() {
    for (name, never) in [
        ("suanpan-agent", "suanpan-engine"),
        ("suanpan-agent", "suanpan-journal"),
        ("suanpan-agent", "suanpan-server"),
        ("suanpan-server", "suanpan-agent"),
        ("suanpan-journal", "suanpan-model"),
        ("suanpan-journal", "suanpan-wire"),
    ] {
        let found = findings(name, &format!("[dependencies]\n{never}.workspace = true\n"));
        assert!(
            found[0].contains("must never") || found[0].contains("not above"),
            "{name} -> {never}: {found:?}"
        );
    }
}

#[test]
fn a_pure_crate_may_use_only_the_allowed_outside_crates() {
    let found = findings("suanpan-model", "[dependencies]\ntokio = \"1\"\n");
    assert_eq!(found, ["a pure crate uses outside crate `tokio`; allowed here: serde"]);
    let free = findings("suanpan-model", "[dev-dependencies]\nproptest = \"1\"\n");
    assert!(free.is_empty());
}

#[test]
fn an_unknown_crate_missing_lints_and_missing_paragraph_are_found() {
    assert!(findings("suanpan-extra", "")[0].contains("not in the layer table"));
    let repo = Repo::from_texts(&[(
        "crates/suanpan-wire/Cargo.toml",
        "[package]\nname = \"suanpan-wire\"\n",
    )]);
    let texts: Vec<String> = check(&repo).into_iter().map(|finding| finding.text).collect();
    assert!(texts[0].contains("[lints] workspace = true"), "{texts:?}");
    assert!(texts[1].contains("ARCHITECTURE.md has no paragraph"), "{texts:?}");
}

#[test]
fn a_heading_alone_is_no_paragraph_and_a_paragraph_needs_an_invariant() {
    let empty = check_architecture("suanpan", "### `suanpan`\n\n### `xtask`\n");
    assert!(empty.is_some_and(|text| text.contains("no paragraph under it")));
    let words = format!("### `suanpan`\n{}\n", "word ".repeat(20));
    let open = check_architecture("suanpan", &words);
    assert!(open.is_some_and(|text| text.contains("**Invariant**")));
}
