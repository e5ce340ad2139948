//! Health, metrics, versions and the API's own description.

use super::App;
use super::auth::{Right, User};
use super::params::Params;
use super::problem::{Answer, Refusal};
use crate::pipeline::Mode;
use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use std::sync::{Arc, LazyLock};
use suanpan_wire::v1;

/// The process is there. Needs no token.
#[utoipa::path(
    get, path = "/livez", tag = "operations", operation_id = "livez",
    responses((status = 200, description = "It is", body = v1::Liveness)),
    security(())
)]
pub(super) async fn livez() -> Json<v1::Liveness> {
    Json(v1::Liveness { status: "live".to_owned() })
}

/// Whether the server takes work. Needs no token.
#[utoipa::path(
    get, path = "/readyz", tag = "operations", operation_id = "readyz",
    responses(
        (status = 200, description = "It does", body = v1::Health),
        (status = 503, description = "Not now", body = v1::Health),
    ),
    security(())
)]
pub(super) async fn readyz(State(app): State<Arc<App>>) -> Response {
    let health = app.plane.health();
    let (word, detail) = match health.mode {
        Mode::Running => ("ready", None),
        Mode::DiskFull => ("disk_full", Some("the disk of the journal is full".to_owned())),
        Mode::ReadOnly(why) => ("read_only", Some(why)),
        Mode::Stopping => ("stopping", None),
        Mode::Failed(why) => ("stopping", Some(why)),
    };
    let status = match word {
        "ready" => StatusCode::OK,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    let body = v1::Health { status: word.to_owned(), detail, seq: health.durable_seq };
    (status, Json(body)).into_response()
}

/// Measurements in the OpenMetrics text format.
#[utoipa::path(
    get, path = "/metrics", tag = "operations", operation_id = "metrics",
    responses((status = 200, description = "The measurements", body = String,
        content_type = "application/openmetrics-text"))
)]
pub(super) async fn metrics(
    State(app): State<Arc<App>>,
    user: User,
    RawQuery(query): RawQuery,
) -> Answer<Response> {
    user.must(Right::Look)?;
    Params::read(query.as_deref(), &[])?;
    let mut text = String::new();
    app.plane.metrics().encode(&mut text).expect("a String can be written to");
    text.push_str("# EOF\n");
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(CONTENT_TYPE, kind)], text).into_response())
}

/// Versions of the program, the API and the agent protocol.
#[utoipa::path(
    get, path = "/v1/version", tag = "operations", operation_id = "version",
    responses((status = 200, description = "The versions", body = v1::Version))
)]
pub(super) async fn version(user: User, RawQuery(query): RawQuery) -> Answer<Json<v1::Version>> {
    user.must(Right::Look)?;
    Params::read(query.as_deref(), &[])?;
    Ok(Json(v1::Version {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        api: vec!["v1".to_owned()],
        agent_protocol: suanpan_wire::agent::PROTOCOL,
    }))
}

static DOCUMENT: LazyLock<String> = LazyLock::new(super::openapi::document);

/// This description of the API.
#[utoipa::path(
    get, path = "/v1/openapi.json", tag = "operations", operation_id = "openapi",
    responses((status = 200, description = "OpenAPI 3.1", body = serde_json::Value))
)]
pub(super) async fn openapi(user: User, RawQuery(query): RawQuery) -> Answer<Response> {
    user.must(Right::Look)?;
    Params::read(query.as_deref(), &[])?;
    Ok(([(CONTENT_TYPE, "application/json")], DOCUMENT.as_str()).into_response())
}

/// The views cannot be read: an operating failure, told in the log.
pub(super) fn unreadable(error: &anyhow::Error) -> Refusal {
    tracing::error!(error = format!("{error:#}"), "the views cannot be read");
    Refusal::later("unreadable-views", "the views cannot be read now", 5)
}
