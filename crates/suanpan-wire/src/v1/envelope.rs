//! The versioned envelope around everything a command prints with `--json`.

use super::problem::Problem;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What `--json` prints: `{"suanpan": {"version": 1, "kind": "job_list"}, "data": …, "errors":
/// []}`. Either `data` or at least one error is there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Envelope<T> {
    /// Which version and kind of document this is.
    pub suanpan: EnvelopeHeader,
    /// The answer; absent if there is none because of the errors.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub data: Option<T>,
    /// What went wrong; empty on success.
    pub errors: Vec<Problem>,
}

/// Head of an [`Envelope`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EnvelopeHeader {
    /// Version of the envelope and of the documents in it. Within one version fields are only
    /// added.
    #[schema(example = 1)]
    pub version: u32,
    /// What `data` is: `job_list`, `job`, `plan`, `why`, `site_list` and so on.
    #[schema(example = "job_list")]
    pub kind: String,
    /// Journal position the answer reflects at least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
}

impl<T> Envelope<T> {
    /// Version written by this program.
    pub const VERSION: u32 = 1;

    /// A successful answer.
    #[must_use]
    pub fn of(kind: &str, seq: Option<u64>, data: T) -> Envelope<T> {
        Envelope { suanpan: header(kind, seq), data: Some(data), errors: Vec::new() }
    }

    /// An answer that is only errors.
    #[must_use]
    pub fn failed(kind: &str, errors: Vec<Problem>) -> Envelope<T> {
        Envelope { suanpan: header(kind, None), data: None, errors }
    }
}

fn header(kind: &str, seq: Option<u64>) -> EnvelopeHeader {
    EnvelopeHeader { version: Envelope::<()>::VERSION, kind: kind.to_owned(), seq }
}

/// `Option<T>: Default` would ask `T: Default`.
fn none<T>() -> Option<T> {
    None
}

#[cfg(test)]
mod tests {
    use super::Envelope;

    #[test]
    fn an_envelope_names_version_kind_and_position() {
        let text = serde_json::to_string(&Envelope::of("job_list", Some(7), vec![1]))
            .expect("an envelope is JSON");
        assert_eq!(
            text,
            r#"{"suanpan":{"version":1,"kind":"job_list","seq":7},"data":[1],"errors":[]}"#
        );
    }

    #[test]
    fn a_failed_envelope_reads_back_without_data() {
        let text = r#"{"suanpan":{"version":1,"kind":"job"},"errors":[]}"#;
        let read: Envelope<String> = serde_json::from_str(text).expect("data may be absent");
        assert_eq!(read, Envelope::failed("job", Vec::new()));
    }
}
