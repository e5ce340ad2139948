//! A matrix of what is between elements.

use crate::fabric::{Element, Fabric, FabricParts, Kind};
use crate::generate::LinkTerms;
use crate::problem::Problem;
use crate::units::{BitsPerSecond, Picoseconds};

/// What a number of the matrix is; nothing, `0`, `-` or `nan` is no link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// Bandwidth in multiples of this.
    Bandwidth(BitsPerSecond),
    /// Latency in multiples of this.
    Latency(Picoseconds),
}

/// Reads a square matrix: a first line of names (after an empty or any first cell, if rows begin
/// with names as well), or numbers only. A link goes both ways: of two different numbers the
/// smaller bandwidth or the larger latency counts, and a number one way only is a link. What the
/// matrix says nothing of is from `terms`. O(text).
///
/// # Errors
/// The line and column of what is no number, or a row of another length.
pub fn parse_csv(
    name: &str,
    text: &str,
    kind: Kind,
    meaning: Meaning,
    terms: LinkTerms,
) -> Result<Fabric, Problem> {
    let lines = (1..).zip(text.lines()).map(|(number, line)| (number, line.trim()));
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let mut rows: Vec<(usize, Vec<&str>)> = lines
        .map(|(number, line)| (number, line.split([',', ';', '\t']).map(str::trim).collect()))
        .collect();
    let mut names: Option<Vec<String>> = None;
    let is_text = |word: &&str| !word.is_empty() && number(word).is_none();
    if rows.first().is_some_and(|(_, words)| words.iter().any(is_text)) {
        names = Some(rows.remove(0).1.into_iter().map(super::id).collect());
    }
    let count = rows.len();
    if count == 0 {
        let expected = "rows of numbers, separated by commas, semicolons or tabs";
        return Err(Problem::new("matrix", "nothing", expected));
    }
    let has_row_names = rows.first().is_some_and(|(_, words)| words.len() == count + 1);
    let mut cells = Vec::with_capacity(rows.len());
    for (line, words) in &rows {
        let words = &words[usize::from(has_row_names).min(words.len())..];
        if words.len() != count {
            let expected = format!("{count} numbers, as many as there are rows");
            return Err(Problem::at(*line, "row", format!("{} numbers", words.len()), &expected));
        }
        for (column, word) in words.iter().enumerate() {
            cells.push(number(word).ok_or_else(|| {
                let field = format!("column {}", column + 1);
                Problem::at(*line, field, word, "a number, at least 0")
            })?);
        }
    }
    let names = names.map(|mut names| names.split_off(names.len().saturating_sub(count)));
    let mut parts = FabricParts { name: name.to_owned(), ..FabricParts::default() };
    for index in 0..count {
        let given = names.as_ref().and_then(|names| names.get(index).cloned());
        let id = given.unwrap_or_else(|| format!("n{index}")).into();
        let capacity = u32::from(kind != Kind::Switch);
        parts.elements.push(Element { id, kind, capacity, ..Element::default() });
    }
    let group = "".into();
    for a in 0..count {
        for b in a + 1..count {
            if let Some(terms) = between(cells[a * count + b], cells[b * count + a], meaning, terms)
            {
                parts.links.push(terms.link(a as u32, b as u32, &group));
            }
        }
    }
    Fabric::new(parts)
}

fn between(there: f64, back: f64, meaning: Meaning, terms: LinkTerms) -> Option<LinkTerms> {
    if there == 0.0 && back == 0.0 {
        return None;
    }
    let (small, large) = (there.min(back), there.max(back));
    Some(match meaning {
        Meaning::Bandwidth(unit) => {
            let value = if small == 0.0 { large } else { small };
            LinkTerms { bandwidth: BitsPerSecond((value * unit.0 as f64).round() as u64), ..terms }
        }
        Meaning::Latency(unit) => {
            LinkTerms { latency: Picoseconds((large * unit.0 as f64).round() as u64), ..terms }
        }
    })
}

fn number(word: &str) -> Option<f64> {
    if ["", "-", "nan", "NaN", "NA"].contains(&word) {
        return Some(0.0);
    }
    word.parse().ok().filter(|value: &f64| value.is_finite() && *value >= 0.0)
}
