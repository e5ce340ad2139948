//! Where in a YAML text a value stands.
//!
//! The parsed document carries no positions, so the text is scanned: keys of a mapping in block
//! style stand at the indentation of its first key, items of a list behind dashes at one
//! indentation. In flow style (`{a: 1}`) the nearest enclosing line is answered.

/// One step down from a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step<'a> {
    /// To the value of a key.
    Key(&'a str),
    /// To an item of a list, counted from zero.
    Index(usize),
}

/// The way from the document to a value.
pub(super) type Path<'p> = &'p [Step<'p>];

/// The path of a child.
pub(super) fn below<'p>(path: Path<'p>, step: Step<'p>) -> Vec<Step<'p>> {
    path.iter().copied().chain([step]).collect()
}

/// A path as text: `resources.cpus`, `flavors[0].command`; `file` for the document itself.
pub(super) fn field(path: Path<'_>) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Key(key) if text.is_empty() => text.push_str(key),
            Step::Key(key) => text.extend([".", key]),
            Step::Index(index) => text.push_str(&format!("[{index}]")),
        }
    }
    if text.is_empty() { "file".to_owned() } else { text.chars().take(200).collect() }
}

/// The line of the value at `path`, from 1; `None` for the document itself.
pub(super) fn line_of(lines: &[&str], path: Path<'_>) -> Option<usize> {
    // The part of the text that holds the current value: lines, and how much of the first one
    // belongs to what came before.
    let (mut first, mut end, mut cut) = (0, lines.len(), 0);
    let mut found = None;
    for step in path {
        let Some((index, level)) = find(lines, first, end, cut, *step) else { break };
        found = Some(index + 1);
        end = (index + 1..end).find(|&k| leaves(lines[k], level, *step)).unwrap_or(end);
        match step {
            Step::Key(_) => (first, cut) = (index + 1, 0),
            Step::Index(_) => (first, cut) = (index, level + 1),
        }
    }
    found
}

/// The line of a child and its indentation, among the lines `first..end`.
fn find(
    lines: &[&str],
    first: usize,
    end: usize,
    cut: usize,
    step: Step<'_>,
) -> Option<(usize, usize)> {
    let mut level = None;
    let mut items = 0;
    for (index, line) in lines.iter().enumerate().take(end).skip(first) {
        let hidden = if index == first { cut } else { 0 };
        let Some((indent, content)) = content_of(line, hidden) else { continue };
        if indent != *level.get_or_insert(indent) {
            continue;
        }
        let is_item = content == "-" || content.starts_with("- ");
        match step {
            Step::Key(key) if is_key(content, key) => return Some((index, indent)),
            Step::Index(wanted) if is_item && items == wanted => return Some((index, indent)),
            Step::Index(_) => items += usize::from(is_item),
            Step::Key(_) => {}
        }
    }
    None
}

/// Whether a line stands outside of a value that began at `level`.
fn leaves(line: &str, level: usize, step: Step<'_>) -> bool {
    content_of(line, 0).is_some_and(|(indent, content)| match step {
        // The items of a list may stand as far left as its key.
        Step::Key(_) => indent < level || (indent == level && !content.starts_with('-')),
        Step::Index(_) => indent <= level,
    })
}

/// Indentation and content of a line; `None` for blank lines and comments. The first `hidden`
/// bytes count as blanks.
fn content_of(line: &str, hidden: usize) -> Option<(usize, &str)> {
    let visible = line.get(hidden..)?;
    let content = visible.trim_start_matches(' ');
    if content.trim().is_empty() || content.starts_with('#') || line.starts_with("---") {
        return None;
    }
    Some((line.len() - content.len(), content))
}

fn is_key(content: &str, key: &str) -> bool {
    let content = content.strip_prefix(['"', '\'']).unwrap_or(content);
    let rest = content.strip_prefix(key).map(|rest| rest.strip_prefix(['"', '\'']).unwrap_or(rest));
    rest.is_some_and(|rest| rest.trim_start().starts_with(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_lines() {
        let text = "# job\nname: x\nresources:\n  cpus: 4\n\n  memory: 8\nflavors:\n- flavor: a\n  \
                    command: b\n- flavor: c\n  command: d\ninputs:\n  - path: e\n    to: f\nenvs: \
                    {A: 1}\nrun: |\n  name: no\n";
        let lines: Vec<&str> = text.lines().collect();
        use Step::{Index, Key};
        for (path, line) in [
            (vec![Key("name")], Some(2)),
            (vec![Key("resources"), Key("memory")], Some(6)),
            (vec![Key("flavors"), Index(1), Key("command")], Some(11)),
            (vec![Key("flavors"), Index(1)], Some(10)),
            (vec![Key("inputs"), Index(0), Key("to")], Some(14)),
            (vec![Key("envs"), Key("A")], Some(15)),
            (vec![Key("run")], Some(16)),
            (vec![], None),
        ] {
            assert_eq!(line_of(&lines, &path), line, "{}", field(&path));
        }
        assert_eq!(field(&[Key("a"), Index(0), Key("b")]), "a[0].b");
    }
}
