//! Finding `#SBATCH` lines and splitting them into arguments the way sbatch does.

use super::super::{ERRORS_MAX, JobFileError, Note};
use super::options::{Origin, Parsed, Setting, parse_line};

/// What was found in a script's directives.
#[derive(Debug, Clone, Default)]
pub struct Directives {
    /// The options that could be read.
    pub settings: Vec<Setting>,
    /// Lines that look like directives but are none, to sbatch as to us.
    pub notes: Vec<Note>,
    /// Lines that could not be read.
    pub errors: Vec<JobFileError>,
}

/// Reads the directives of a script: every line that starts with `#SBATCH` (or `#SUANPAN`) up to
/// the first line that is neither a comment nor blank.
pub fn read_directives(script: &str) -> Directives {
    let mut found = Directives::default();
    let mut reading = true;
    for (index, line) in script.lines().enumerate() {
        let number = index + 1;
        let note = |text: &str| Note {
            line: Some(number),
            field: "#SBATCH".to_owned(),
            text: text.to_owned(),
        };
        let Some((origin, rest)) = directive(line) else {
            if reading && directive(line.trim_start()).is_some() {
                found
                    .notes
                    .push(note("is indented, so it is a comment to sbatch and has no effect."));
            }
            reading &= line.trim_start().starts_with('#') || line.trim().is_empty();
            continue;
        };
        if !reading {
            found.notes.push(note("comes after the first command, so sbatch does not read it."));
            continue;
        }
        if found.errors.len() >= ERRORS_MAX {
            break;
        }
        found.read_line(rest, origin, number);
    }
    found
}

fn directive(line: &str) -> Option<(Origin, &str)> {
    [("#SBATCH", Origin::Directive), ("#SUANPAN", Origin::OwnDirective)]
        .into_iter()
        .find_map(|(word, origin)| line.strip_prefix(word).map(|rest| (origin, rest)))
        .filter(|(_, rest)| rest.is_empty() || rest.starts_with(['-', ' ', '\t']))
}

impl Directives {
    fn read_line(&mut self, rest: &str, origin: Origin, number: usize) {
        let word = if origin == Origin::Directive { "#SBATCH" } else { "#SUANPAN" };
        let refuse =
            |value: &str, expected: &str| JobFileError::new(Some(number), word, value, expected);
        let args = match split_arguments(rest) {
            Ok(args) => args,
            Err(quote) => {
                let expected = format!("a closing {quote} for the one that is opened");
                return self.errors.push(refuse(rest.trim(), &expected));
            }
        };
        let Parsed { settings, taken, errors } = parse_line(&args, origin, Some(number));
        self.settings.extend(settings);
        self.errors.extend(errors);
        match args.get(taken).map(String::as_str) {
            None => {}
            Some("hetjob" | "packjob" | ":") => self.errors.push(refuse(
                rest.trim(),
                "one job per script, because parts of a job cannot differ here",
            )),
            Some(extra) => {
                self.errors.push(refuse(extra, "an option here; values with spaces need quotes"));
            }
        }
    }
}

/// Splits a line at white space. Quotes of both kinds group, a backslash takes the next character
/// as it is, and an unquoted `#` ends the line wherever it stands.
///
/// Fails with the quote that stays open.
fn split_arguments(line: &str) -> Result<Vec<String>, char> {
    let mut args = Vec::new();
    let mut current: Option<String> = None;
    let mut quote = None;
    let mut characters = line.chars();
    while let Some(c) = characters.next() {
        match (quote, c) {
            // A backslash at the end of the line stands for nothing.
            (_, '\\') => current.get_or_insert_default().extend(characters.next()),
            (Some(open), c) if c == open => quote = None,
            (Some(_), c) => current.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                current.get_or_insert_default();
            }
            (None, '#') => break,
            (None, c) if c.is_ascii_whitespace() => args.extend(current.take()),
            (None, c) => current.get_or_insert_default().push(c),
        }
    }
    args.extend(current);
    quote.map_or(Ok(args), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_as_sbatch_does() {
        for (line, args) in [
            (" -N 2 --mem=1G", vec!["-N", "2", "--mem=1G"]),
            (" -J \"two words\" # why", vec!["-J", "two words"]),
            (" --comment='it is' -n4", vec!["--comment=it is", "-n4"]),
            (" --comment=a\\ b\\\"c", vec!["--comment=a b\"c"]),
            (" --comment=a#b -n4", vec!["--comment=a"]),
            (" --comment=\"\"", vec!["--comment="]),
            (" # nothing", vec![]),
        ] {
            assert_eq!(split_arguments(line), Ok(args.iter().map(|a| (*a).to_owned()).collect()));
        }
        assert_eq!(split_arguments(" -J 'open"), Err('\''));
    }
}
