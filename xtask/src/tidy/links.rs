//! Every link of a document leads somewhere.

use std::collections::BTreeSet;

use crate::docs;
use crate::repo::{Finding, Repo};

/// Links in Markdown files to files of this repository, and to headings in them, resolve.
pub fn check(repo: &Repo) -> Vec<Finding> {
    let known = known_paths(repo);
    let mut findings = Vec::new();
    for (path, text) in repo.texts_ending(&[".md"]) {
        for (line, target) in links(text) {
            if let Some(text) = check_link(repo, &known, path, &target) {
                findings.push(Finding::new(path, line, text));
            }
        }
    }
    findings
}

/// Every file and every folder that holds one.
fn known_paths(repo: &Repo) -> BTreeSet<&str> {
    let mut known = BTreeSet::from([""]);
    for file in &repo.files {
        known.insert(&file.path);
        known.extend(file.path.match_indices('/').map(|(at, _)| &file.path[..at]));
    }
    known
}

fn check_link(repo: &Repo, known: &BTreeSet<&str>, from: &str, target: &str) -> Option<String> {
    let has_scheme = target.split(['/', '#']).next().is_some_and(|first| first.contains(':'));
    if has_scheme || target.starts_with("//") {
        return None;
    }
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let path = if file.is_empty() { Some(from.to_owned()) } else { resolve(from, file) };
    let Some(path) = path else { return Some(format!("`{target}` leads out of the repository")) };
    if !known.contains(path.as_str()) {
        return Some(format!("`{target}` leads to `{path}`, which is not in the repository"));
    }
    let is_heading = |text: &str| headings(text).any(|heading| heading == anchor);
    if !anchor.is_empty() && path.ends_with(".md") && !repo.text(&path).is_some_and(is_heading) {
        return Some(format!("`{target}`: no heading of `{path}` becomes `#{anchor}`"));
    }
    None
}

/// `target` seen from the file `from`; `None` if it climbs out of the repository.
fn resolve(from: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = match target.strip_prefix('/') {
        Some(_) => Vec::new(),
        None => from.split('/').collect(),
    };
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

/// Line and target of each link: `[text](target)`, `[label]: target`, `src="target"`,
/// `href="target"`. Code is not searched.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (index, line) in docs::without_code(text).lines().enumerate() {
        for (open, close) in [("](", ')'), ("src=\"", '"'), ("href=\"", '"')] {
            for (at, _) in line.match_indices(open) {
                let rest = &line[at + open.len()..];
                let end = rest.find(close).unwrap_or(rest.len());
                let target = rest[..end].split_whitespace().next().unwrap_or_default();
                found.push((index + 1, target.trim_matches(['<', '>']).to_owned()));
            }
        }
        if let Some((label, target)) = line.split_once("]: ")
            && label.starts_with('[')
            && !label.starts_with("[^")
        {
            found.push((index + 1, target.trim().to_owned()));
        }
    }
    found
}

/// The anchors of the headings, as the usual hosts make them.
fn headings(text: &str) -> impl Iterator<Item = String> {
    let plain = docs::without_fences(text);
    let lines: Vec<String> = plain.lines().map(str::to_owned).collect();
    lines.into_iter().filter(|line| line.starts_with('#')).map(|line| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|ch| ch.is_alphanumeric() || matches!(ch, ' ' | '-' | '_'));
        kept.map(|ch| if ch == ' ' { '-' } else { ch }).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(text: &str) -> Vec<String> {
        let repo = Repo::from_texts(&[
            ("docs/a.md", text),
            ("docs/b.md", "# One title\n## `code` here\n"),
            ("README.md", "x\n"),
        ]);
        check(&repo).into_iter().map(|finding| finding.text).collect()
    }

    #[test]
    fn good_links_resolve() {
        let text = "[b](b.md) [t](b.md#one-title) [c](./b.md#code-here) [r](../README.md) \
                    [d](../docs/) [web](https://example.org/x) [mail](mailto:a@example.org)\n\
                    [label]: b.md\n<img src=\"b.md\">\n`[not](a-link)`\n```\n[nor](this)\n```\n";
        assert_eq!(findings(text), Vec::<String>::new());
    }

    #[test]
    fn bad_links_are_found() {
        assert!(findings("[x](missing.md)\n")[0].contains("`docs/missing.md`"));
        assert!(findings("[x](b.md#two)\n")[0].contains("no heading"));
        assert!(findings("[x](../../b.md)\n")[0].contains("out of the repository"));
        assert!(findings("[label]: nowhere.md\n")[0].contains("nowhere"));
    }
}
