//! Reading paths, query parameters, headers and bodies strictly: whatever is wrong is refused
//! with its name, its value and what would be right.

use super::problem::{Answer, Refusal};
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;
use suanpan_model::id::JobId;
use suanpan_model::job::TaskRef;

/// The job or task a path names: `36` or `36_4`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobPath(pub TaskRef);

impl JobPath {
    pub(super) fn parse(text: &str) -> Option<TaskRef> {
        let (job, index) = match text.split_once('_') {
            Some((job, index)) => (job, Some(index)),
            None => (text, None),
        };
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let fits = digits(job) && job.len() <= 18 && !job.starts_with('0');
        let index = match index {
            Some(index) if digits(index) && index.len() <= 9 => Some(index.parse().ok()?),
            Some(_) => return None,
            None => None,
        };
        fits.then_some(TaskRef { job: JobId(job.parse().ok()?), index })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for JobPath {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Answer<JobPath> {
        let text = path_part(parts, state).await?;
        JobPath::parse(&text).map(JobPath).ok_or_else(|| {
            Refusal::invalid("bad-job-id", "this is not a job id")
                .at("id", text)
                .remedy("write a job's number, as 36, or one task of an array, as 36_4")
        })
    }
}

/// The cluster a path names, or a site that has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterPath(pub String);

impl<S: Send + Sync> FromRequestParts<S> for ClusterPath {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Answer<ClusterPath> {
        path_part(parts, state).await.map(ClusterPath)
    }
}

/// The only variable part of a path.
pub(super) async fn path_part<S: Send + Sync>(parts: &mut Parts, state: &S) -> Answer<String> {
    match Path::<String>::from_request_parts(parts, state).await {
        Ok(Path(text)) => Ok(text),
        Err(_) => Err(Refusal::invalid("bad-path", "the path is not UTF-8 in percent code")
            .at("path", parts.uri.path())
            .remedy("write the path in plain letters and digits")),
    }
}

/// Query parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params(Vec<(String, String)>);

impl Params {
    /// Reads a query; a parameter that is not among `known`, or is there twice, is refused.
    pub fn read(query: Option<&str>, known: &[&str]) -> Answer<Params> {
        let mut found: Vec<(String, String)> = Vec::new();
        for part in query.unwrap_or_default().split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let name = decode(name).ok_or_else(|| bad_code(part))?;
            let value = decode(value).ok_or_else(|| bad_code(part))?;
            if !known.contains(&name.as_str()) {
                let remedy = match known {
                    [] => "this route takes no query parameters".to_owned(),
                    _ => format!("there are {}", known.join(", ")),
                };
                return Err(Refusal::invalid("unknown-parameter", "there is no such parameter")
                    .at(name, value)
                    .remedy(remedy));
            }
            if found.iter().any(|(other, _)| *other == name) {
                return Err(Refusal::invalid("repeated-parameter", "the parameter is there twice")
                    .at(name, value)
                    .remedy("give it once"));
            }
            found.push((name, value));
        }
        Ok(Params(found))
    }

    /// The parameter's text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// A whole number from `min` to `max`.
    pub fn number(&self, name: &str, min: i64, max: i64) -> Answer<Option<i64>> {
        let Some(text) = self.text(name) else { return Ok(None) };
        match text.parse() {
            Ok(number) if (min..=max).contains(&number) => Ok(Some(number)),
            _ => Err(wrong(name, text, format!("write a whole number from {min} to {max}"))),
        }
    }

    /// `true` or `false`.
    pub fn flag(&self, name: &str) -> Answer<bool> {
        match self.text(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(text) => Err(wrong(name, text, "write true or false".to_owned())),
        }
    }

    /// Text of 1 to `max` characters.
    pub fn word(&self, name: &str, max: usize) -> Answer<Option<String>> {
        match self.text(name) {
            None => Ok(None),
            Some(text) if (1..=max).contains(&text.chars().count()) && !text.contains('\0') => {
                Ok(Some(text.to_owned()))
            }
            Some(text) => Err(wrong(name, text, format!("write 1 to {max} characters"))),
        }
    }
}

/// A parameter's value that cannot be used.
pub(super) fn wrong(name: &str, value: &str, remedy: String) -> Refusal {
    Refusal::invalid("bad-parameter", format!("`{name}` cannot be {value:?}"))
        .at(name, value)
        .remedy(remedy)
}

fn bad_code(part: &str) -> Refusal {
    Refusal::invalid("bad-parameter", "the query is not UTF-8 in percent code")
        .at("query", part)
        .remedy("write each reserved byte as % and two hexadecimal digits")
}

/// Undoes percent code and `+`.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        match first {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digit = |byte: &u8| (*byte as char).to_digit(16);
                let (high, low) = (digit(rest.first()?)?, digit(rest.get(1)?)?);
                bytes.push((high * 16 + low) as u8);
                rest = &rest[2..];
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).ok()
}

/// A header's text, if it is there and readable.
pub(super) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Answer<Option<&'a str>> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(bad_header(name, "", "send it once"));
    }
    match value.to_str() {
        Ok(text) => Ok(Some(text)),
        Err(_) => Err(bad_header(name, "", "use printable ASCII characters")),
    }
}

/// A header that cannot be used.
pub(super) fn bad_header(name: &str, value: &str, remedy: &str) -> Refusal {
    Refusal::invalid("bad-header", format!("the header `{name}` cannot be used"))
        .at(name, value)
        .remedy(remedy)
}

/// A JSON body, not read yet: what it means is read once, by the handler.
#[derive(Debug)]
pub struct JsonBytes(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for JsonBytes {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Answer<JsonBytes> {
        check_json(request.headers())?;
        let bytes = Bytes::from_request(request, state).await;
        bytes.map(JsonBytes).map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Refusal::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "body-too-large",
                "the body is larger than this server takes",
            )
            .remedy("send fewer jobs at a time, or raise limits.body in the server's settings"),
            _ => Refusal::invalid("broken-body", "the body did not arrive whole"),
        })
    }
}

impl JsonBytes {
    /// Reads the body.
    pub fn read<T: DeserializeOwned>(&self) -> Answer<T> {
        serde_json::from_slice(&self.0).map_err(|error| super::json_error::refuse(&self.0, &error))
    }
}

fn check_json(headers: &HeaderMap) -> Answer<()> {
    let kind = header(headers, CONTENT_TYPE.as_str())?.unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let refusal = Refusal::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "not-json",
        "the body must be JSON and say so",
    );
    Err(refusal.at("Content-Type", kind).remedy("send `Content-Type: application/json`"))
}

#[cfg(test)]
mod tests {
    use super::{JobPath, Params};

    #[test]
    fn ids_are_numbers_or_numbers_with_an_index() {
        let text = |text| JobPath::parse(text).map(|task| task.to_string());
        for good in ["1", "36", "36_0", "36_4", "999999999999999999_999999999"] {
            assert_eq!(text(good).as_deref(), Some(good));
        }
        for bad in ["", "0", "036", "x", "36_", "_4", "36_x", "36_4_1", "-1", "+1", "36_-1"] {
            assert_eq!(text(bad), None, "{bad}");
        }
    }

    #[test]
    fn queries_are_decoded_and_strict() {
        let params = Params::read(Some("name=a%20b+c&limit=5"), &["name", "limit"]);
        let params = params.expect("both are known");
        assert_eq!(params.text("name"), Some("a b c"));
        assert_eq!(params.number("limit", 1, 10).expect("a number"), Some(5));
        for (query, field) in
            [("lim=5", "lim"), ("limit=5&limit=6", "limit"), ("limit=%zz", "query")]
        {
            let refusal = Params::read(Some(query), &["limit"]).expect_err(query);
            assert_eq!(refusal.problem().field.as_deref(), Some(field));
        }
        let params = Params::read(Some("limit=0"), &["limit"]).expect("known");
        let refusal = params.number("limit", 1, 10).expect_err("too small");
        assert!(refusal.problem().remedy.as_deref().expect("a remedy").contains("1 to 10"));
    }
}
