//! Tables without lines: a header, two blanks between columns, one row a line.

use super::{Colour, Output, format};
use crate::failure::Failure;
use comfy_table::presets::NOTHING;
use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement, Table};
use suanpan_wire::v1::JobState;

/// To which side a column's text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// A table that is being filled.
pub struct Rows {
    table: Table,
    colour: Colour,
    width: Option<usize>,
    aligns: Vec<Align>,
    texts: Vec<Vec<String>>,
    tones: Vec<Vec<Tone>>,
}

/// What a cell's colour hints at; its words say the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// No colour.
    Plain,
    /// It is well.
    Good,
    /// It waits.
    Waiting,
    /// It went wrong.
    Bad,
    /// Less important.
    Faint,
}

impl Tone {
    /// The tone of a job in this state.
    pub fn of(state: JobState) -> Tone {
        match state {
            JobState::Pending | JobState::Configuring => Tone::Waiting,
            JobState::Running | JobState::Completing | JobState::Completed => Tone::Good,
            JobState::Cancelled => Tone::Faint,
            _ => Tone::Bad,
        }
    }
}

/// A cell: its text and tone.
pub struct Item(String, Tone);

impl<T: Into<String>> From<T> for Item {
    fn from(text: T) -> Item {
        Item(text.into(), Tone::Plain)
    }
}

/// A cell with a tone.
pub fn toned(text: impl Into<String>, tone: Tone) -> Item {
    Item(text.into(), tone)
}

impl Rows {
    /// A table with these column heads.
    pub fn new(output: &Output, heads: &[(&str, Align)]) -> Rows {
        let mut table = Table::new();
        table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        let bold = |head: &str| match output.colour {
            Colour::On => Cell::new(head).add_attribute(Attribute::Bold),
            Colour::Off => Cell::new(head),
        };
        table.set_header(heads.iter().map(|(head, _)| bold(head)));
        Rows {
            table,
            colour: output.colour,
            width: output.width,
            aligns: heads.iter().map(|(_, align)| *align).collect(),
            texts: vec![heads.iter().map(|(head, _)| (*head).to_owned()).collect()],
            tones: Vec::new(),
        }
    }

    /// Adds a row, with as many items as there are heads.
    pub fn row<const N: usize>(&mut self, items: [Item; N]) {
        self.items(items.into());
    }

    /// Adds a row whose length is known only as the program runs.
    pub fn items(&mut self, items: Vec<Item>) {
        let (texts, tones) = items.into_iter().map(|Item(text, tone)| (text, tone)).unzip();
        self.texts.push(texts);
        self.tones.push(tones);
    }

    /// The table as text, without a line end after the last row. On a terminal the last column is
    /// cut where the line ends.
    pub fn render(mut self) -> String {
        self.cut_last_column();
        for (texts, tones) in self.texts.iter().skip(1).zip(&self.tones) {
            let cells = texts.iter().zip(tones).map(|(text, tone)| cell(text, *tone, self.colour));
            self.table.add_row(cells);
        }
        for (index, align) in self.aligns.iter().enumerate() {
            let column = self.table.column_mut(index).expect("there is a head for every column");
            column.set_padding((0, if index + 1 < self.aligns.len() { 2 } else { 0 }));
            column.set_cell_alignment(match align {
                Align::Left => CellAlignment::Left,
                Align::Right => CellAlignment::Right,
            });
        }
        self.table.force_no_tty();
        if self.colour == Colour::On {
            self.table.enforce_styling();
        }
        self.table.trim_fmt()
    }

    /// Prints it.
    pub fn print(self, output: &Output) -> Result<(), Failure> {
        output.line(self.render())
    }

    fn cut_last_column(&mut self) {
        let (Some(width), Some(last)) = (self.width, self.aligns.len().checked_sub(1)) else {
            return;
        };
        let widest = |column: usize| {
            self.texts.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)
        };
        let before: usize = (0..last).map(|column| widest(column) + 2).sum();
        let room = width.saturating_sub(before).max(12);
        for row in &mut self.texts {
            row[last] = format::cut(&row[last], room);
        }
    }
}

fn cell(text: &str, tone: Tone, colour: Colour) -> Cell {
    let cell = Cell::new(text);
    match (colour, tone) {
        (Colour::Off, _) | (_, Tone::Plain) => cell,
        (_, Tone::Good) => cell.fg(Color::Green),
        (_, Tone::Waiting) => cell.fg(Color::Yellow),
        (_, Tone::Bad) => cell.fg(Color::Red),
        (_, Tone::Faint) => cell.add_attribute(Attribute::Dim),
    }
}
