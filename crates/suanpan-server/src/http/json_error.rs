//! Says where in a JSON body something is wrong: line, column and the path of the field.

use super::problem::Refusal;
use serde_json::error::Category;

/// Makes a refusal of a body that could not be read.
pub(super) fn refuse(body: &[u8], error: &serde_json::Error) -> Refusal {
    let (line, column) = (error.line(), error.column());
    let message = error.to_string();
    let message = message.split(" at line ").next().unwrap_or(&message);
    let path = path_at(body, offset_of(body, line, column));
    if error.classify() != Category::Data {
        return Refusal::invalid("malformed-json", format!("the body is not JSON: {message}"))
            .at(name(&path), snippet(body, offset_of(body, line, column)))
            .remedy("send one JSON document")
            .line(line.max(1), column.max(1));
    }
    let (what, expected) = match message.split_once(", expected ") {
        Some((what, expected)) => (what, Some(expected)),
        None => (message, None),
    };
    let refusal = if let Some(field) = quoted(what, "unknown field `") {
        let path = if last_part(&path) == field { path } else { join(&path, field) };
        Refusal::invalid("unknown-field", format!("there is no field `{field}`")).at(path, field)
    } else if let Some(field) = quoted(what, "missing field `") {
        Refusal::invalid("missing-field", format!("the field `{field}` is missing"))
            .at(join(&path, field), "")
            .remedy(format!("add `{field}`"))
    } else {
        let found = what.split_once(": ").map_or(what, |(_, found)| found);
        Refusal::invalid("bad-field", message).at(name(&path), found)
    };
    let refusal = match expected {
        Some(expected) => refusal.remedy(format!("expected {expected}")),
        None if refusal.problem().remedy.is_none() => {
            refusal.remedy("see the schema in GET /v1/openapi.json")
        }
        None => refusal,
    };
    refusal.line(line.max(1), column.max(1))
}

fn quoted<'a>(message: &'a str, start: &str) -> Option<&'a str> {
    message.strip_prefix(start)?.split('`').next()
}

fn join(path: &str, field: &str) -> String {
    if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") }
}

fn last_part(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

fn name(path: &str) -> &str {
    if path.is_empty() { "body" } else { path }
}

/// Index just after the byte at a line and column, both from 1.
fn offset_of(body: &[u8], line: usize, column: usize) -> usize {
    let mut start = 0;
    for _ in 1..line {
        match body[start..].iter().position(|&byte| byte == b'\n') {
            Some(end) => start += end + 1,
            None => break,
        }
    }
    (start + column).min(body.len())
}

/// Up to 20 characters before the error.
fn snippet(body: &[u8], end: usize) -> String {
    let start = end.saturating_sub(20);
    String::from_utf8_lossy(&body[start..end]).trim().to_owned()
}

/// What a walk is inside of.
enum Frame {
    /// An object, at this key; the next string is a key if `true`.
    Object(Option<String>, Next),
    /// An array, at this position.
    Array(usize),
}

#[derive(PartialEq, Eq)]
enum Next {
    Key,
    Value,
}

/// Path of the value that ends, or is being read, at `end`: `jobs[3].env.PATH`.
fn path_at(body: &[u8], end: usize) -> String {
    let mut frames: Vec<Frame> = Vec::new();
    let mut at = 0;
    while at < end {
        match body[at] {
            b'{' => frames.push(Frame::Object(None, Next::Key)),
            b'[' => frames.push(Frame::Array(0)),
            b'}' | b']' => {
                frames.pop();
            }
            b',' => match frames.last_mut() {
                Some(Frame::Object(key, next)) => {
                    *key = None;
                    *next = Next::Key;
                }
                Some(Frame::Array(index)) => *index += 1,
                None => {}
            },
            b'"' => {
                let close = string_end(body, at);
                if close >= end && close > at + 1 && !matches!(body.get(close), Some(b'"')) {
                    break;
                }
                if let Some(Frame::Object(key, next)) = frames.last_mut()
                    && *next == Next::Key
                {
                    let text = &body[at..=close.min(body.len() - 1)];
                    *key = serde_json::from_slice(text).ok();
                    *next = Next::Value;
                }
                at = close;
            }
            _ => {}
        }
        at += 1;
    }
    render(&frames)
}

/// Index of the quotation mark that ends the string begun at `start`, or the body's length.
fn string_end(body: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < body.len() && body[at] != b'"' {
        at += if body[at] == b'\\' { 2 } else { 1 };
    }
    at.min(body.len())
}

fn render(frames: &[Frame]) -> String {
    let mut path = String::new();
    for frame in frames {
        match frame {
            Frame::Object(Some(key), _) if path.is_empty() => path.push_str(key),
            Frame::Object(Some(key), _) => {
                path.push('.');
                path.push_str(key);
            }
            Frame::Object(None, _) => {}
            Frame::Array(index) => path.push_str(&format!("[{index}]")),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::refuse;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[serde(rename = "jobs")]
        _jobs: Vec<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[serde(rename = "nodes")]
        _nodes: u32,
        #[serde(default, rename = "name")]
        _name: String,
    }

    fn told(body: &str) -> String {
        let error = serde_json::from_str::<Outer>(body).expect_err("the body is wrong");
        let refusal = refuse(body.as_bytes(), &error);
        let problem = refusal.problem();
        let text = |part: &Option<String>| part.clone().unwrap_or_default();
        format!(
            "{} | {} | {} | {} | {}:{}",
            problem.code,
            text(&problem.field),
            text(&problem.value),
            text(&problem.remedy),
            problem.line.unwrap_or(0),
            problem.column.unwrap_or(0)
        )
    }

    #[test]
    fn errors_name_path_value_remedy_and_place() {
        let cases = [
            (
                "{\"jobs\": [{\"nodes\": 1},\n {\"nodes\": \"two\"}]}",
                "bad-field | jobs[1].nodes | string \"two\" | expected u32 | 2:16",
            ),
            (
                "{\"jobs\": [{\"nodes\": 1, \"node\": 2}]}",
                "unknown-field | jobs[0].node | node | expected `nodes` or `name` | 1:29",
            ),
            (
                "{\"jobs\": [{\"name\": \"a,}\"}]}",
                "missing-field | jobs[0].nodes |  | add `nodes` | 1:25",
            ),
            (
                "{\"jobs\": [",
                "malformed-json | jobs[0] | {\"jobs\": [ | send one JSON document | 1:10",
            ),
            ("", "malformed-json | body |  | send one JSON document | 1:1"),
        ];
        for (body, right) in cases {
            assert_eq!(told(body), right, "{body}");
        }
    }
}
