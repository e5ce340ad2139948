//! The document's JSON Schema, from one table.

mod table;

use std::fmt::Write as _;

pub use table::{Field, Presence, Record, Records, TABLE, Type};

/// The JSON Schema (draft 2020-12) of `*.fabric.toml`, written from [`TABLE`].
#[must_use]
pub fn json_schema() -> String {
    let mut text = String::from(
        "{\n  \"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n  \
         \"title\": \"Suanpan fabric\",\n  \"$ref\": \"#/$defs/fabric\",\n  \"$defs\": {",
    );
    for (index, records) in TABLE.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let _ = write!(text, "{comma}\n    \"{}\": ", records.name);
        match records.records {
            [record] => write_record(&mut text, record),
            several => {
                text.push_str("{\n      \"oneOf\": [");
                for (index, record) in several.iter().enumerate() {
                    text.push_str(if index == 0 { "\n      " } else { ",\n      " });
                    write_record(&mut text, record);
                }
                text.push_str("\n      ]\n    }");
            }
        }
    }
    text.push_str("\n  }\n}\n");
    text
}

fn write_record(text: &mut String, record: &Record) {
    let _ = write!(text, "{{\n      \"type\": \"object\",\n      \"description\": ");
    write_text(text, record.about);
    text.push_str(",\n      \"additionalProperties\": false,\n      \"required\": [");
    let mut required: Vec<&str> = Vec::new();
    if record.shape.is_some() {
        required.push("shape");
    }
    required.extend(record.fields.iter().filter(|f| f.is_required()).map(|f| f.name));
    let quoted: Vec<String> = required.iter().map(|name| format!("\"{name}\"")).collect();
    let _ = write!(text, "{}],\n      \"properties\": {{", quoted.join(", "));
    let mut comma = "";
    if let Some(shape) = record.shape {
        let _ = write!(text, "\n        \"shape\": {{ \"const\": \"{shape}\" }}");
        comma = ",";
    }
    for field in record.fields {
        let _ = write!(text, "{comma}\n        \"{}\": {{ \"description\": ", field.name);
        write_text(text, field.about);
        text.push_str(", ");
        write_type(text, &field.of);
        text.push_str(" }");
        comma = ",";
    }
    text.push_str("\n      }\n    }");
}

fn write_type(text: &mut String, of: &Type) {
    let _ = match of {
        Type::Text => write!(text, "\"type\": \"string\""),
        Type::Number => write!(text, "\"type\": \"number\""),
        Type::Whole => write!(text, "\"type\": \"integer\", \"minimum\": 0"),
        Type::Quantity(example) => {
            let unit = example.trim_start_matches(|c: char| c.is_ascii_digit() || " .".contains(c));
            write!(
                text,
                "\"type\": \"string\", \"pattern\": \"^[0-9]+(\\\\.[0-9]+)? ?[A-Za-z/]+$\", \
                 \"examples\": [\"{example}\"], \"$comment\": \"a number and a unit as {unit}\""
            )
        }
        Type::Choice(choices) => {
            let quoted: Vec<String> = choices.iter().map(|c| format!("\"{c}\"")).collect();
            write!(text, "\"enum\": [{}]", quoted.join(", "))
        }
        Type::Record(name) => write!(text, "\"$ref\": \"#/$defs/{name}\""),
        Type::Texts => {
            write!(
                text,
                "\"type\": \"object\", \"additionalProperties\": {{ \"type\": \"string\" }}"
            )
        }
        Type::List(of) => {
            text.push_str("\"type\": \"array\", \"items\": { ");
            write_type(text, of);
            write!(text, " }}")
        }
        Type::Pair(of) => {
            text.push_str("\"type\": \"array\", \"minItems\": 2, \"maxItems\": 2, \"items\": { ");
            write_type(text, of);
            write!(text, " }}")
        }
    };
}

/// A string in quotes; the table holds printable text only.
fn write_text(text: &mut String, value: &str) {
    let _ = write!(text, "\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""));
}
