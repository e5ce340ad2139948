//! The configuration file: TOML, strict.

use super::{ConfigError, Given, Origin, Setting, known_keys};
use std::collections::BTreeMap;
use std::path::Path;
use toml::de::{DeTable, DeValue};

/// Reads a file's settings by key.
pub(super) fn read(path: &Path, text: &str) -> Result<BTreeMap<&'static str, Given>, ConfigError> {
    let line_at = |offset: usize| text[..offset.min(text.len())].matches('\n').count() + 1;
    let table = DeTable::parse(text).map_err(|error| ConfigError {
        origin: Origin::File(path.to_owned(), line_at(error.span().map_or(0, |span| span.start))),
        key: "configuration file".to_owned(),
        value: error.span().and_then(|span| text.get(span)).unwrap_or_default().to_owned(),
        expected: error.message().to_owned(),
    })?;
    let mut flat = Vec::new();
    flatten("", table.get_ref(), &mut flat);
    let mut given = BTreeMap::new();
    for (key, value, offset) in flat {
        let origin = Origin::File(path.to_owned(), line_at(offset));
        let Some(setting) = Setting::find(&key) else {
            let expected = format!("there is no such setting; there are {}", known_keys());
            return Err(ConfigError { origin, key, value: value.unwrap_or_default(), expected });
        };
        let Some(text) = value else {
            let expected = "write one value: text, or a whole number".to_owned();
            return Err(ConfigError { origin, key, value: "a list or table".into(), expected });
        };
        given.insert(setting.key, Given { text, origin });
    }
    Ok(given)
}

/// Settings as `table.key`, their value if it is a single one, and where they stand.
fn flatten(prefix: &str, table: &DeTable<'_>, found: &mut Vec<(String, Option<String>, usize)>) {
    for (name, value) in table {
        let key = match prefix {
            "" => name.get_ref().to_string(),
            _ => format!("{prefix}.{}", name.get_ref()),
        };
        let one = match value.get_ref() {
            DeValue::Table(inner) => {
                flatten(&key, inner, found);
                continue;
            }
            DeValue::String(text) => Some(text.to_string()),
            DeValue::Integer(number) => Some(number.to_string()),
            DeValue::Float(number) => Some(number.to_string()),
            DeValue::Boolean(flag) => Some(flag.to_string()),
            DeValue::Datetime(time) => Some(time.to_string()),
            DeValue::Array(_) => None,
        };
        found.push((key, one, name.span().start));
    }
}
