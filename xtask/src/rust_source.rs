//! Just enough of Rust's lexical rules to measure source text without parsing it: comments,
//! strings and characters are blanked out, and then braces can be counted.

use std::ops::Range;

/// A function in a masked source text.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name, without its type.
    pub name: String,
    /// The line of `fn`, from 1.
    pub line: usize,
    /// Lines from `fn` to the closing brace, comments and blank lines included.
    pub lines: usize,
}

/// The text with every comment, string and character literal blanked out. Line breaks stay, so
/// line numbers stay too; every blanked character becomes one space per byte.
pub fn mask(source: &str) -> String {
    let bytes = source.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = literal_end(bytes, at);
        if end == at {
            at += 1;
            continue;
        }
        for byte in &mut out[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end;
    }
    // What is left of a multi-byte character outside a literal is kept whole.
    String::from_utf8(out).expect("whole literals were blanked, so the rest is whole characters")
}

/// Where the comment, string or character that starts at `at` ends; `at` itself if none starts.
fn literal_end(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    let after_word = at > 0 && is_word(bytes[at - 1]);
    match rest {
        [b'/', b'/', ..] => at + rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()),
        [b'/', b'*', ..] => at + block_comment(rest),
        [b'"', ..] => at + quoted(rest, 0),
        [b'b' | b'c', b'"', ..] if !after_word => at + quoted(rest, 1),
        [b'r', b'"' | b'#', ..] if !after_word => at + raw(rest, 1),
        [b'b' | b'c', b'r', b'"' | b'#', ..] if !after_word => at + raw(rest, 2),
        [b'\'', ..] => at + character(rest),
        _ => at,
    }
}

fn block_comment(rest: &[u8]) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn quoted(rest: &[u8], open: usize) -> usize {
    let mut at = open + 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

fn raw(rest: &[u8], prefix: usize) -> usize {
    let hashes = rest[prefix..].iter().take_while(|byte| **byte == b'#').count();
    let open = prefix + hashes;
    if rest.get(open) != Some(&b'"') {
        // `r#name` is an identifier, not a string.
        return 0;
    }
    let mut closing = vec![b'"'];
    closing.resize(1 + hashes, b'#');
    let body = &rest[open + 1..];
    let found = body.windows(closing.len()).position(|window| window == closing);
    found.map_or(rest.len(), |found| open + 1 + found + closing.len())
}

/// A character literal; a lifetime has no closing quote and is left alone.
fn character(rest: &[u8]) -> usize {
    if rest.get(1) == Some(&b'\\') {
        let close = rest[3.min(rest.len())..].iter().position(|byte| *byte == b'\'');
        return close.map_or(0, |close| 3 + close + 1);
    }
    let width = match rest.get(1) {
        Some(0..=0x7f) => 1,
        Some(0xc0..=0xdf) => 2,
        Some(0xe0..=0xef) => 3,
        Some(_) => 4,
        None => return 0,
    };
    if rest.get(1 + width) == Some(&b'\'') { width + 2 } else { 0 }
}

/// Every function with a body in a masked text.
pub fn functions(masked: &str) -> Vec<Function> {
    let mut found = Vec::new();
    for (start, word) in words(masked) {
        if word != "fn" {
            continue;
        }
        let Some((name_at, name)) = words(&masked[start + 2..]).next() else { continue };
        // `fn(` is a type, not a function.
        if !masked[start + 2..start + 2 + name_at].trim().is_empty() {
            continue;
        }
        let Some(body) = body(masked, start) else { continue };
        let line = line_of(masked, start);
        let lines = line_of(masked, body.end - 1) - line + 1;
        found.push(Function { name: name.to_owned(), line, lines });
    }
    found
}

/// Lines inside `#[cfg(test)] mod … { … }` of a masked text.
pub fn test_lines(masked: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (start, mark) in masked.match_indices("#[cfg(test)]") {
        let after = start + mark.len();
        let is_module = masked[after..].trim_start().starts_with("mod ");
        if let (true, Some(body)) = (is_module, body(masked, after)) {
            found.push(line_of(masked, start)..line_of(masked, body.end - 1) + 1);
        }
    }
    found
}

/// Start and text of each identifier or keyword.
pub fn words(masked: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_edge = |ch: char| !(ch.is_alphanumeric() || ch == '_');
    let mut at = 0;
    masked.split(is_edge).filter_map(move |word| {
        let start = at;
        let edge = masked[start + word.len()..].chars().next();
        at = start + word.len() + edge.map_or(0, char::len_utf8);
        (!word.is_empty()).then_some((start, word))
    })
}

/// The line, from 1, of a byte position.
pub fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1
}

/// The braces of the item that starts at `start`; `None` if a `;` comes first.
fn body(masked: &str, start: usize) -> Option<Range<usize>> {
    let bytes = masked.as_bytes();
    let mut nesting = 0usize;
    let mut open = start;
    loop {
        match bytes.get(open)? {
            b'(' | b'[' => nesting += 1,
            b')' | b']' => nesting = nesting.checked_sub(1)?,
            b';' if nesting == 0 => return None,
            b'{' if nesting == 0 => break,
            _ => {}
        }
        open += 1;
    }
    let mut depth = 0;
    for (offset, byte) in bytes[open..].iter().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(open..open + offset + 1);
        }
    }
    None
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_and_comments_are_blanked() {
        let source = "let a = \"fn x() {\"; // {\nlet b = r#\"}\"#; /* { /* } */ */ let c = '{';";
        let masked = mask(source);
        assert_eq!(masked.len(), source.len());
        assert!(!masked.contains(['{', '}']), "{masked}");
        assert!(masked.contains("let c ="));
    }

    #[test]
    fn lifetimes_and_escapes_are_told_apart() {
        let masked = mask("fn a<'x>(b: &'x str) { let c = '\\''; let d = '}'; let e = '算'; }");
        assert_eq!(masked.matches('}').count(), 1);
        assert!(masked.contains("&'x str"));
        assert!(mask("let r#type = 1; let z = b\"{\";").contains("r#type"));
    }

    #[test]
    fn functions_are_measured_from_fn_to_brace() {
        let source = "/// Doc\nfn one(a: [u8; 3]) {\n    // why\n\n}\ntrait T { fn two(); }\n\
                      type F = fn(u8);\n";
        let found = functions(&mask(source));
        assert_eq!(found, [Function { name: "one".into(), line: 2, lines: 4 }]);
    }

    #[test]
    fn inline_test_modules_are_found() {
        let source =
            "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n#[cfg(test)]\nmod t;\n";
        assert_eq!(test_lines(&mask(source)), vec![Range { start: 2, end: 6 }]);
    }
}
