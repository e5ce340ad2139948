//! Errors of the command line: what went wrong, what would be right, and the exit code.

use crate::exit;
use suanpan_wire::jobfile::JobFileError;
use suanpan_wire::v1::Problem;

/// Why a verb did not do what was asked.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The exit code of most verbs; see [`exit::Codes`] for the others.
    pub code: u8,
    /// The sentence after `error:`; may have several lines.
    pub message: String,
    /// The sentence after `hint:`.
    pub hint: Option<String>,
    /// The server's own words, repeated in `--json`.
    pub problem: Option<Box<Problem>>,
}

/// What a verb answers: its exit code.
pub type Outcome = Result<u8, Failure>;

impl Failure {
    fn new(code: u8, message: impl Into<String>) -> Failure {
        Failure { code, message: message.into(), hint: None, problem: None }
    }

    /// The command line or a file is wrong.
    pub fn usage(message: impl Into<String>) -> Failure {
        Failure::new(exit::USAGE, message)
    }

    /// There is no such thing.
    pub fn not_found(message: impl Into<String>) -> Failure {
        Failure::new(exit::NOT_FOUND, message)
    }

    /// The token is missing or not enough.
    pub fn not_authorised(message: impl Into<String>) -> Failure {
        Failure::new(exit::NOT_AUTHORISED, message)
    }

    /// The server cannot be reached.
    pub fn unreachable(message: impl Into<String>) -> Failure {
        Failure::new(exit::UNREACHABLE, message)
    }

    /// Anything else.
    pub fn other(message: impl Into<String>) -> Failure {
        Failure::new(exit::OTHER, message)
    }

    /// Ctrl-C was pressed.
    pub fn interrupted() -> Failure {
        Failure::new(exit::INTERRUPTED, "interrupted")
    }

    /// The reader of our output went away; said by the exit code only.
    pub fn output_closed() -> Failure {
        Failure::new(exit::OUTPUT_CLOSED, "")
    }

    /// The same with a hint, unless it has one.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Failure {
        self.hint.get_or_insert_with(|| hint.into());
        self
    }

    /// Whether nothing is to be printed about it.
    pub fn is_silent(&self) -> bool {
        self.code == exit::OUTPUT_CLOSED
    }

    /// What the server answered instead of what was asked.
    pub fn from_problem(problem: Problem) -> Failure {
        let code = match problem.status {
            401 | 403 => exit::NOT_AUTHORISED,
            404 => exit::NOT_FOUND,
            409 | 422 => exit::REFUSED,
            400..=499 if problem.status != 408 => exit::USAGE,
            503 | 504 | 408 | 502 => exit::UNREACHABLE,
            _ => exit::OTHER,
        };
        let mut message = in_words(&problem.detail, problem.field.as_deref(), &problem.value);
        for error in problem.errors.iter().skip(1) {
            message.push('\n');
            message.push_str(&in_words(&error.detail, Some(&error.field), &error.value));
        }
        Failure { code, message, hint: remedy(&problem), problem: Some(Box::new(problem)) }
    }

    /// What is wrong in a job file, error by error.
    pub fn from_job_file(origin: &str, errors: &[JobFileError]) -> Failure {
        let lines: Vec<String> = errors
            .iter()
            .map(|error| match error.line {
                Some(line) => {
                    let rest = JobFileError { line: None, ..error.clone() };
                    format!("{origin}:{line}: {rest}")
                }
                None => error.to_string(),
            })
            .collect();
        Failure::usage(lines.join("\n"))
    }

    /// The failure as a problem, for `--json`.
    pub fn to_problem(&self) -> Problem {
        if let Some(problem) = &self.problem {
            return (**problem).clone();
        }
        let (status, code) = match self.code {
            exit::USAGE => (400, "usage"),
            exit::REFUSED => (422, "refused"),
            exit::NOT_FOUND => (404, "not-found"),
            exit::NOT_AUTHORISED => (401, "not-authorised"),
            exit::UNREACHABLE => (503, "unreachable"),
            _ => (500, "failed"),
        };
        let problem = Problem::new(status, code, self.message.clone());
        match &self.hint {
            Some(hint) => problem.remedy(hint.clone()),
            None => problem,
        }
    }
}

/// What to do, in words of the command line where the server speaks of its routes.
fn remedy(problem: &Problem) -> Option<String> {
    match problem.code.as_str() {
        "unknown-job" | "unknown-task" => {
            Some("`suanpan ps --all` lists the jobs there are".to_owned())
        }
        _ => problem.remedy.clone(),
    }
}

fn in_words(detail: &str, field: Option<&str>, value: &Option<String>) -> String {
    // The server's sentences often name the value already.
    let named = |word: &str| detail.contains(word);
    // Parts of an address are no words of the command line.
    let field = field.filter(|field| !matches!(*field, "id" | "path"));
    match (field, value) {
        (Some(field), Some(value)) if !named(value) => format!("{field}: `{value}`: {detail}"),
        (Some(field), _) if !named(field) => format!("{field}: {detail}"),
        _ => detail.to_owned(),
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Failure {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            return Failure::output_closed();
        }
        Failure::other(error.to_string())
    }
}

impl From<suanpan_journal::Error> for Failure {
    fn from(error: suanpan_journal::Error) -> Failure {
        match error {
            suanpan_journal::Error::NoJournal { .. } => Failure::not_found(error.to_string())
                .hint("name the server's data directory, or a backup, with --data-dir"),
            suanpan_journal::Error::NotEmpty { .. }
            | suanpan_journal::Error::UnknownRecord { .. } => Failure::usage(error.to_string()),
            _ => Failure::other(error.to_string()),
        }
    }
}

/// An error with its causes on one line.
pub fn chain(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
