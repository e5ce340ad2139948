//! What is printed: data to standard output, everything else to standard error.

pub mod format;
pub mod table;

use crate::failure::Failure;
use serde::Serialize;
use std::io::{IsTerminal, Write};
use suanpan_wire::v1::{Envelope, Problem};

/// In which form data is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Text,
    /// One JSON document in the versioned envelope.
    Json,
    /// Ids only, one a line.
    Ids,
}

/// Whether text may be coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// A terminal that shows colours, and nobody asked for none.
    On,
    /// No escape sequences at all.
    Off,
}

/// Where and how a verb prints.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    /// The form asked for.
    pub form: Form,
    /// Whether standard output may be coloured.
    pub colour: Colour,
    /// Columns of the terminal; `None` if standard output is none.
    pub width: Option<usize>,
}

impl Output {
    /// The output for this process.
    pub fn of_process(form: Form) -> Output {
        let terminal = std::io::stdout().is_terminal();
        let asked_off = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let colour = if terminal && !asked_off { Colour::On } else { Colour::Off };
        let width = terminal.then(terminal_width);
        Output { form, colour, width }
    }

    /// Prints text and a line end.
    pub fn line(&self, text: impl AsRef<str>) -> Result<(), Failure> {
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_ref().as_bytes())?;
        out.write_all(b"\n")?;
        Ok(out.flush()?)
    }

    /// Prints text as it is.
    pub fn text(&self, text: &str) -> Result<(), Failure> {
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_bytes())?;
        Ok(out.flush()?)
    }

    /// Prints a document in the envelope.
    pub fn json<T: Serialize>(
        &self,
        kind: &str,
        seq: Option<u64>,
        data: &T,
    ) -> Result<(), Failure> {
        let envelope = Envelope::of(kind, seq, data);
        self.line(serde_json::to_string_pretty(&envelope).expect("wire types are JSON"))
    }

    /// Prints the envelope of a failure.
    pub fn json_failure(&self, kind: &str, problems: Vec<Problem>) -> Result<(), Failure> {
        let envelope: Envelope<()> = Envelope::failed(kind, problems);
        self.line(serde_json::to_string_pretty(&envelope).expect("wire types are JSON"))
    }

    /// The text in bold where colours are on.
    pub fn bold(&self, text: &str) -> String {
        self.styled("1", text)
    }

    /// The text faint where colours are on.
    pub fn faint(&self, text: &str) -> String {
        self.styled("2", text)
    }

    /// The text in green where colours are on.
    pub fn green(&self, text: &str) -> String {
        self.styled("32", text)
    }

    /// The text in red where colours are on.
    pub fn red(&self, text: &str) -> String {
        self.styled("31", text)
    }

    fn styled(&self, code: &str, text: &str) -> String {
        match self.colour {
            Colour::On => format!("\x1b[{code}m{text}\x1b[0m"),
            Colour::Off => text.to_owned(),
        }
    }
}

/// Says something about the work to people: standard error, one line. A closed standard error is
/// no reason to stop.
pub fn note(text: impl AsRef<str>) {
    let _ = writeln!(std::io::stderr(), "{}", text.as_ref());
}

fn terminal_width() -> usize {
    let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let measured = || comfy_table::Table::new().width().map(usize::from);
    columns.or_else(measured).unwrap_or(80).max(40)
}
