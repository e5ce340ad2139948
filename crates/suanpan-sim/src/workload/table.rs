//! Comma-separated tables with a header line, as many public traces are.
//!
//! Columns are found by name, so their order does not matter and further ones are passed over.
//! Quotes mean nothing: none of these formats has a comma in a value.

use std::str::FromStr;

use crate::problem::{Imported, Problem, Skipped, Strictness, shown};

/// Reads every line of a table into an item.
///
/// # Errors
/// A column of `columns` is missing; or, if strict, the first line that `read` cannot take.
pub fn read<T>(
    name: &str,
    text: &str,
    strictness: Strictness,
    columns: &[&'static str],
    mut read: impl FnMut(&Row<'_>) -> Result<T, Problem>,
) -> Result<Imported<T>, Problem> {
    let mut lines = text.lines().zip(1u64..);
    let (header, _) = lines.next().unwrap_or_default();
    let names: Vec<&str> =
        header.trim_start_matches('\u{feff}').split(',').map(str::trim).collect();
    let mut places = Vec::with_capacity(columns.len());
    for column in columns {
        let Some(place) = names.iter().position(|other| other == column) else {
            return Err(Problem {
                file: name.to_owned(),
                line: 1,
                field: "header".to_owned(),
                value: shown(header),
                expected: format!("a column `{column}`"),
            });
        };
        places.push(place);
    }
    let mut items = Vec::new();
    let mut skipped = Skipped::default();
    for (line, number) in lines {
        if line.trim().is_empty() {
            continue;
        }
        let fields = line.split(',').map(str::trim).collect();
        let row = Row { name, number, columns, places: &places, fields };
        match read(&row) {
            Ok(item) => items.push(item),
            Err(problem) => skipped.note(problem, strictness)?,
        }
    }
    Ok(Imported { items, skipped })
}

/// One line of a table.
pub struct Row<'a> {
    name: &'a str,
    number: u64,
    columns: &'a [&'static str],
    places: &'a [usize],
    fields: Vec<&'a str>,
}

impl<'a> Row<'a> {
    /// The text in a column, by its place in the list of columns that was asked for.
    ///
    /// # Errors
    /// The line is too short.
    pub fn text(&self, column: usize) -> Result<&'a str, Problem> {
        let field = self.fields.get(self.places[column]).copied();
        field.ok_or_else(|| self.problem(column, "a value; the line is too short"))
    }

    /// The number in a column, if `right` holds for it.
    ///
    /// # Errors
    /// It is not such a number.
    pub fn number<N: FromStr + Copy>(
        &self,
        column: usize,
        expected: &str,
        right: impl Fn(N) -> bool,
    ) -> Result<N, Problem> {
        let parsed = self.text(column)?.parse().ok().filter(|&number| right(number));
        parsed.ok_or_else(|| self.problem(column, expected))
    }

    /// What is wrong with the value in a column.
    #[must_use]
    pub fn problem(&self, column: usize, expected: &str) -> Problem {
        Problem {
            file: self.name.to_owned(),
            line: self.number,
            field: self.columns[column].to_owned(),
            value: shown(self.fields.get(self.places[column]).copied().unwrap_or_default()),
            expected: expected.to_owned(),
        }
    }
}
