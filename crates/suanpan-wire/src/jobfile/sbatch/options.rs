//! From arguments and variables to settings: getopt's rules over the one table.

use super::super::near;
use super::super::{ERRORS_MAX, JobFileError, Note};
use super::table::{OptionRow, TABLE, ValueKind};
use std::collections::BTreeMap;

/// Where a setting was made. Later ones are stronger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// A `#SBATCH` line.
    Directive,
    /// A `#SUANPAN` line, which may also use this network's own options.
    OwnDirective,
    /// An `SBATCH_*` variable.
    Environment,
    /// The command line.
    CommandLine,
}

/// How an option was written, so that errors name it the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spelling {
    Long,
    Short,
    Variable(&'static str),
}

/// One option that was given, with its value.
#[derive(Debug, Clone)]
pub struct Setting {
    /// Which option.
    pub row: &'static OptionRow,
    /// Its value; empty if it takes none.
    pub value: String,
    /// Where it was given.
    pub origin: Origin,
    /// Line of the script, from 1.
    pub line: Option<usize>,
    spelling: Spelling,
}

impl Setting {
    /// The option as the user knows it: `--time`, `-t` or `SBATCH_TIMELIMIT`.
    pub fn field(&self) -> String {
        match (self.spelling, self.row.short) {
            (Spelling::Variable(name), _) => name.to_owned(),
            (Spelling::Short, Some(short)) => format!("-{short}"),
            _ => format!("--{}", self.row.name),
        }
    }

    pub(super) fn error(&self, expected: impl Into<String>) -> JobFileError {
        JobFileError::new(self.line, self.field(), &self.value, expected)
    }
}

/// Reads options up to the first argument that is none, as sbatch does.
///
/// Answers the settings and how many arguments they took; the rest are the script and its own
/// arguments. `--` ends the options. Long options may be cut short where that is unambiguous.
pub fn parse_options(
    args: &[String],
    origin: Origin,
) -> Result<(Vec<Setting>, usize), Vec<JobFileError>> {
    let Parsed { settings, taken, errors } = parse_line(args, origin, None);
    if errors.is_empty() { Ok((settings, taken)) } else { Err(errors) }
}

/// What was found in a list of arguments.
pub(super) struct Parsed {
    /// The options that could be read.
    pub(super) settings: Vec<Setting>,
    /// How many arguments they took.
    pub(super) taken: usize,
    /// The options that could not be read.
    pub(super) errors: Vec<JobFileError>,
}

/// [`parse_options`] for the arguments of one line of a file.
pub(super) fn parse_line(args: &[String], origin: Origin, line: Option<usize>) -> Parsed {
    let mut reader = Reader { args, next: 0, origin, line, settings: Vec::new() };
    let mut errors = Vec::new();
    while let Some(arg) = args.get(reader.next) {
        if errors.len() >= ERRORS_MAX {
            break;
        }
        if arg == "--" {
            reader.next += 1;
            break;
        }
        let result = if let Some(long) = arg.strip_prefix("--") {
            reader.next += 1;
            reader.long(long)
        } else if arg.starts_with('-') && arg.len() > 1 {
            reader.next += 1;
            reader.short(&arg[1..])
        } else {
            break;
        };
        errors.extend(result.err());
    }
    Parsed { settings: reader.settings, taken: reader.next, errors }
}

struct Reader<'a> {
    args: &'a [String],
    next: usize,
    origin: Origin,
    line: Option<usize>,
    settings: Vec<Setting>,
}

impl Reader<'_> {
    fn long(&mut self, text: &str) -> Result<(), JobFileError> {
        let (name, inline) = text.split_once('=').map_or((text, None), |(n, v)| (n, Some(v)));
        let row = self.find_long(name)?;
        let value = match (row.value, inline) {
            (ValueKind::None, None) => String::new(),
            (ValueKind::None, Some(value)) => {
                return Err(self.wrong(format!("--{}", row.name), value, "no value"));
            }
            (ValueKind::Optional(_), inline) => inline.unwrap_or_default().to_owned(),
            (ValueKind::Required(_), Some(value)) => value.to_owned(),
            (ValueKind::Required(what), None) => {
                self.take_next(&format!("--{}", row.name), what)?
            }
        };
        self.push(row, value, Spelling::Long);
        Ok(())
    }

    fn short(&mut self, letters: &str) -> Result<(), JobFileError> {
        let mut rest = letters;
        while let Some(letter) = rest.chars().next() {
            rest = &rest[letter.len_utf8()..];
            let Some(row) = TABLE.iter().find(|row| row.short == Some(letter)) else {
                let expected = "an option of sbatch (`--help` lists them)";
                return Err(self.wrong(format!("-{letter}"), rest, expected));
            };
            match row.value {
                ValueKind::None | ValueKind::Optional(_) => {
                    self.push(row, String::new(), Spelling::Short);
                }
                ValueKind::Required(what) => {
                    let value = if rest.is_empty() {
                        self.take_next(&format!("-{letter}"), what)?
                    } else {
                        rest.to_owned()
                    };
                    self.push(row, value, Spelling::Short);
                    break;
                }
            }
        }
        Ok(())
    }

    fn push(&mut self, row: &'static OptionRow, value: String, spelling: Spelling) {
        let (origin, line) = (self.origin, self.line);
        self.settings.push(Setting { row, value, origin, line, spelling });
    }

    fn take_next(&mut self, field: &str, what: &str) -> Result<String, JobFileError> {
        let value = self.args.get(self.next).cloned();
        self.next += 1;
        value.ok_or_else(|| self.wrong(field.to_owned(), "", &format!("{what} after it")))
    }

    fn wrong(&self, field: String, value: &str, expected: &str) -> JobFileError {
        JobFileError::new(self.line, field, value, expected)
    }

    fn find_long(&self, name: &str) -> Result<&'static OptionRow, JobFileError> {
        let has_name = |row: &&'static OptionRow| row.name == name || row.aliases.contains(&name);
        let own = |row: &&'static OptionRow| row.is_own() && self.origin == Origin::Directive;
        if let Some(row) = TABLE.iter().find(has_name) {
            if own(&row) {
                let expected = "a line `#SUANPAN` for it, because sbatch would refuse the script";
                return Err(self.wrong(format!("--{name}"), "", expected));
            }
            return Ok(row);
        }
        let cut_short: Vec<&OptionRow> =
            TABLE.iter().filter(|row| !row.is_own() && row.name.starts_with(name)).collect();
        match cut_short[..] {
            [row] if name.len() >= 2 => Ok(row),
            [_, _, ..] if name.len() >= 2 => {
                let names: Vec<&str> = cut_short.iter().map(|row| row.name).collect();
                let expected = format!("one of --{}", names.join(", --"));
                Err(self.wrong(format!("--{name}"), "", &expected))
            }
            _ => {
                let meant = near::hint(name, TABLE.iter().map(|row| row.name));
                let expected = format!("an option of sbatch{meant}");
                Err(self.wrong(format!("--{name}"), "", &expected))
            }
        }
    }
}

/// Reads the `SBATCH_*` variables (and `SLURM_CLUSTERS`) out of an environment.
///
/// A variable that no option has is noted, because Slurm ignores it as well.
pub fn settings_from_environment(
    environment: &BTreeMap<String, String>,
) -> (Vec<Setting>, Vec<Note>) {
    let (mut settings, mut notes) = (Vec::new(), Vec::new());
    for (name, value) in environment {
        let found = TABLE.iter().find_map(|row| {
            row.variables.iter().find(|known| *known == name).map(|known| (row, *known))
        });
        match found {
            Some((row, known)) => settings.push(Setting {
                row,
                // A flag is set by the presence of its variable.
                value: if row.value == ValueKind::None { String::new() } else { value.clone() },
                origin: Origin::Environment,
                line: None,
                spelling: Spelling::Variable(known),
            }),
            None if name.starts_with("SBATCH_") => notes.push(Note {
                line: None,
                field: name.chars().take(64).collect(),
                text: "is no variable of sbatch and has no effect.".to_owned(),
            }),
            None => {}
        }
    }
    (settings, notes)
}
