//! What is answered instead of what was asked: RFC 9457 problems.
//!
//! Every answer of status 400 and above is made here, also those of the framework underneath.

use crate::pipeline::Failure;
use axum::Json;
use axum::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use suanpan_engine::rejection::{Kind, Rejection};
use suanpan_wire::v1::{FieldProblem, Problem};

/// Media type of a problem.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// A handler's answer.
pub type Answer<T> = Result<T, Refusal>;

/// A problem on its way out, with the headers it needs.
#[derive(Debug)]
pub struct Refusal {
    problem: Box<Problem>,
    header: Option<(HeaderName, HeaderValue)>,
}

impl Refusal {
    /// A refusal of this status, code and sentence.
    pub fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Refusal {
        Refusal { problem: Box::new(Problem::new(status.as_u16(), code, detail)), header: None }
    }

    /// A request that is malformed: status 400.
    pub fn invalid(code: &str, detail: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// Something that is not there: status 404.
    pub fn not_found(code: &str, detail: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::NOT_FOUND, code, detail)
    }

    /// Something that may work later: status 503 with `Retry-After`.
    pub fn later(code: &str, detail: impl Into<String>, seconds: u32) -> Refusal {
        let remedy = format!("try again in {seconds} s");
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, code, detail)
            .remedy(remedy)
            .header(RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// No token, or none that is known: status 401.
    pub fn unauthenticated(detail: impl Into<String>) -> Refusal {
        let mut refusal = Refusal::new(StatusCode::UNAUTHORIZED, "unauthenticated", detail)
            .remedy("send `Authorization: Bearer TOKEN` with a token this server made");
        refusal.problem.field = Some("Authorization".to_owned());
        refusal.header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"suanpan\""))
    }

    /// A token of the wrong kind: status 403.
    pub fn forbidden(detail: impl Into<String>, remedy: &str) -> Refusal {
        let mut refusal = Refusal::new(StatusCode::FORBIDDEN, "wrong-token", detail).remedy(remedy);
        refusal.problem.field = Some("Authorization".to_owned());
        refusal
    }

    /// A bug of the server: status 500. `request` finds its cause in the log.
    pub fn internal(request: &str) -> Refusal {
        let mut refusal = Refusal::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "the server has a fault; this request was not answered",
        )
        .remedy("report it with the lines of the server's log that have this request id");
        refusal.problem.request_id = Some(request.to_owned());
        refusal
    }

    /// The same, with the field that is wrong and what was in it.
    #[must_use]
    pub fn at(mut self, field: impl Into<String>, value: impl Into<String>) -> Refusal {
        let (field, value) = (field.into(), value.into());
        self.problem.field = Some(field);
        self.problem.value = Some(shorten(value));
        self
    }

    /// The same, with what would be right.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Refusal {
        self.problem.remedy = Some(remedy.into());
        self
    }

    /// The same, with where the body could not be read.
    #[must_use]
    pub fn line(mut self, line: usize, column: usize) -> Refusal {
        self.problem.line = Some(line as u64);
        self.problem.column = Some(column as u64);
        self
    }

    /// The same, with every field that is wrong; the first is repeated at the top.
    #[must_use]
    pub fn fields(mut self, errors: Vec<FieldProblem>) -> Refusal {
        if let Some(first) = errors.first() {
            self.problem.field = Some(first.field.clone());
            self.problem.value = first.value.clone();
            self.problem.remedy = first.remedy.clone();
        }
        self.problem.errors = errors;
        self
    }

    fn header(mut self, name: HeaderName, value: HeaderValue) -> Refusal {
        self.header = Some((name, value));
        self
    }

    /// The problem.
    #[must_use]
    pub fn problem(&self) -> &Problem {
        &self.problem
    }
}

/// Longest value that is repeated in a problem, in characters.
const VALUE_CHARACTERS_MAX: usize = 200;

fn shorten(value: String) -> String {
    match value.char_indices().nth(VALUE_CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value,
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.problem.status)
            .expect("problems are made with a status of the http crate");
        let mut response = (status, Json(self.problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if let Some((name, value)) = self.header {
            headers.insert(name, value);
        }
        response
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Refusal {
        match failure {
            Failure::Rejected(rejection) => Refusal::from(*rejection),
            Failure::Overloaded => Refusal::later(
                "overloaded",
                "more is asked than the server can make durable now; nothing was done",
                1,
            ),
            Failure::DiskFull => Refusal::later(
                "disk-full",
                "the disk of the server's journal is full; nothing was done",
                30,
            ),
            Failure::ReadOnly(why) => Refusal::later(
                "read-only",
                format!("the server answers questions but takes nothing new: {why}"),
                60,
            ),
            Failure::Stopping => {
                Refusal::later("stopping", "the server is stopping; nothing was done", 2)
            }
        }
    }
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Refusal {
        let status = match rejection.kind() {
            Kind::Invalid => StatusCode::BAD_REQUEST,
            Kind::NotFound => StatusCode::NOT_FOUND,
            Kind::Conflict => StatusCode::CONFLICT,
            Kind::Forbidden => StatusCode::FORBIDDEN,
            Kind::Impossible => StatusCode::UNPROCESSABLE_ENTITY,
        };
        let mut refusal = Refusal::new(status, rejection.code(), rejection.to_string());
        if let Some((field, value)) = rejection.field() {
            refusal = refusal.at(field, value);
        }
        if let Rejection::Impossible { unfit, .. } = &rejection {
            refusal.problem.errors = unfit
                .iter()
                .map(|unfit| FieldProblem {
                    field: super::convert::word(&unfit.predicate),
                    value: Some(unfit.asked.clone()),
                    detail: format!("{}: {}", unfit.site, super::explain::unfit_text(unfit)),
                    remedy: None,
                })
                .collect();
        }
        if let Some(hint) = rejection.hint() {
            refusal = refusal.remedy(hint);
        }
        refusal
    }
}

/// Makes problems of the framework's own plain answers. `route` is the matched route's path.
pub(super) fn translate(
    response: Response,
    method: &str,
    path: &str,
    route: Option<&str>,
) -> Response {
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) || is_ours(&response) {
        return response;
    }
    if status != StatusCode::METHOD_NOT_ALLOWED {
        let words = status.canonical_reason().unwrap_or("refused");
        return Refusal::new(status, "refused", words).into_response();
    }
    let refusal = Refusal::new(status, "method-not-allowed", format!("{path} has no {method}"))
        .at("method", method);
    let allowed = super::router::methods_of(route.unwrap_or_default());
    let refusal = match HeaderValue::from_str(&allowed) {
        Ok(header) => refusal.remedy(format!("use {allowed}")).header(ALLOW, header),
        Err(_) => refusal,
    };
    refusal.into_response()
}

/// Whether a handler made this answer: as a problem, or (`/readyz`) as JSON.
fn is_ours(response: &Response) -> bool {
    response.headers().get(CONTENT_TYPE).is_some_and(|value| {
        let value = value.as_bytes();
        value.starts_with(PROBLEM_JSON.as_bytes()) || value.starts_with(b"application/json")
    })
}
