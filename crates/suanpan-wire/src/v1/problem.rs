//! Errors of the API, as RFC 9457 `application/problem+json`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Why a request was not done, which field or header is meant, what was in it and what would be
/// right. `code` is for programs and never changes its meaning; the rest is for people.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({
    "type": "https://suanpan.dev/problems/unknown-job",
    "title": "Not found",
    "status": 404,
    "code": "unknown-job",
    "detail": "there is no job 36",
    "field": "id",
    "value": "36",
    "remedy": "see GET /v1/jobs for the jobs there are",
    "errors": []
}))]
pub struct Problem {
    /// Names the kind of problem; its last part is `code`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The HTTP status in words.
    pub title: String,
    /// The HTTP status code.
    #[schema(minimum = 400, maximum = 599)]
    pub status: u16,
    /// The kind of problem, in words joined by `-`.
    #[schema(example = "unknown-job")]
    pub code: String,
    /// What went wrong this time, as a sentence.
    pub detail: String,
    /// The field, parameter or header that is wrong: `jobs[3].time`, `limit`, `Authorization`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What was in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// What would be right, or what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// Line of the body, from 1, if the body could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// Column of that line, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u64>,
    /// Every field that is wrong, if several are; the first is repeated above.
    #[serde(default)]
    pub errors: Vec<FieldProblem>,
    /// Names this request in the server's log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// One field that is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldProblem {
    /// The field: `time`, `jobs[3].array`; of a script the line: `line 4`.
    pub field: String,
    /// What was in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// What is wrong with it.
    pub detail: String,
    /// What would be right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Problem {
    /// Start of every problem's `type`.
    pub const TYPE_BASE: &'static str = "https://suanpan.dev/problems/";

    /// A problem of this status, code and sentence.
    #[must_use]
    pub fn new(status: u16, code: &str, detail: impl Into<String>) -> Problem {
        Problem {
            kind: format!("{}{code}", Problem::TYPE_BASE),
            title: title(status).to_owned(),
            status,
            code: code.to_owned(),
            detail: detail.into(),
            ..Problem::default()
        }
    }

    /// The same, with the field that is wrong and what was in it.
    #[must_use]
    pub fn at(mut self, field: impl Into<String>, value: impl Into<String>) -> Problem {
        self.field = Some(field.into());
        self.value = Some(value.into());
        self
    }

    /// The same, with what would be right.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Problem {
        self.remedy = Some(remedy.into());
        self
    }
}

impl std::fmt::Display for Problem {
    /// `time: "2 days": not a length of time; write for example 2-00:00:00`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.detail)?;
        match (&self.field, &self.value) {
            (Some(field), Some(value)) => write!(f, " ({field}: {value:?})")?,
            (Some(field), None) => write!(f, " ({field})")?,
            (None, _) => {}
        }
        if let Some(remedy) = &self.remedy {
            write!(f, "; {remedy}")?;
        }
        Ok(())
    }
}

fn title(status: u16) -> &'static str {
    match status {
        400 => "Bad request",
        401 => "Not authenticated",
        403 => "Not allowed",
        404 => "Not found",
        405 => "Method not allowed",
        406 => "Not acceptable",
        408 => "Request timed out",
        409 => "Conflict",
        411 => "Length required",
        413 => "Body too large",
        415 => "Unsupported media type",
        422 => "Impossible",
        500 => "Internal error",
        503 => "Not available now",
        _ => "Error",
    }
}
