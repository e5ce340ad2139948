//! A measured communication matrix as CSV.

use super::{Flow, RANKS_MAX, Traffic};
use crate::problem::Problem;

/// Reads a square matrix of bytes: row r, column c is what rank r sends to rank c. Numbers are
/// separated by commas, semicolons, tabs or spaces; `#` begins a comment line; a first line that
/// holds no number is a heading. Numbers may be written with a fraction or an exponent (`1.5e6`)
/// and are rounded to whole bytes.
///
/// # Errors
/// The line that is not a number of the matrix, or is not as long as there are lines.
pub fn parse_csv(text: &str) -> Result<Traffic, Problem> {
    let mut entries = Vec::new();
    let mut width = 0;
    let mut rows = 0;
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let words: Vec<&str> = split(line);
        if rows == 0 && width == 0 && words.iter().all(|word| word.parse::<f64>().is_err()) {
            width = words.iter().filter(|word| !word.is_empty()).count();
            continue;
        }
        if rows == 0 {
            width = words.len();
        }
        if words.len() != width || width > RANKS_MAX {
            let expected = format!("{width} numbers, as in the first line");
            return Err(Problem::at(number, "row", format!("{} numbers", words.len()), &expected));
        }
        for (column, word) in words.iter().enumerate() {
            let bytes = bytes(word).ok_or_else(|| {
                let field = format!("column {}", column + 1);
                Problem::at(number, field, word, "a number of bytes, at least 0")
            })?;
            if bytes > 0 {
                entries.push((rows, column as u32, bytes));
            }
        }
        rows += 1;
    }
    if rows as usize != width {
        let expected = format!("{width} rows, as many as columns");
        return Err(Problem::new("matrix", format!("{rows} rows"), &expected));
    }
    Traffic::from_entries(width, Flow::Directed, entries)
}

fn split(line: &str) -> Vec<&str> {
    let separator = [',', ';', '\t'].into_iter().find(|&separator| line.contains(separator));
    match separator {
        Some(separator) => {
            line.trim_end_matches(separator).split(separator).map(str::trim).collect()
        }
        None => line.split_whitespace().collect(),
    }
}

fn bytes(word: &str) -> Option<u64> {
    if let Ok(bytes) = word.parse() {
        return Some(bytes);
    }
    let value: f64 = word.parse().ok()?;
    (value.is_finite() && value >= 0.0 && value < 2.0_f64.powi(64)).then(|| value.round() as u64)
}
