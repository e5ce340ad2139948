//! Every kind of error, against a committed file of what is answered.

use super::{INVENTORY, Rig, limits, request};
use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::Value;
use std::fmt::Write;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/problems.txt");

const JOB: &str = r#"{"payload": {"command": ["true"]}, "submit_dir": "/tmp"}"#;

type Case = (&'static str, Request<Body>, Who);

fn user(name: &'static str, method: &str, path: &str, body: &str) -> Case {
    (name, request(method, path, None, body), Who::User)
}

fn agent(name: &'static str, method: &str, path: &str, body: &str) -> Case {
    (name, request(method, path, None, body), Who::Agent)
}

fn with_header(mut request: Request<Body>, field: &'static str, value: &str) -> Request<Body> {
    request.headers_mut().insert(field, value.parse().expect("a header"));
    request
}

/// Requests that are wrong, one for each kind of error.
fn wrong() -> Vec<Case> {
    let parts = [wrong_places(), wrong_headers(), unreadable_bodies(), bodies_that_mean_nothing()];
    parts.into_iter().flatten().collect()
}

/// Wrong tokens, paths and parameters.
fn wrong_places() -> Vec<Case> {
    vec![
        ("no token", request("GET", "/v1/jobs", None, ""), Who::Nobody),
        ("unknown token", request("GET", "/v1/jobs", None, ""), Who::Stranger),
        ("malformed token", request("GET", "/v1/jobs", Some("Bearer x"), ""), Who::Nobody),
        ("other scheme", request("GET", "/v1/jobs", Some("Basic eDp5"), ""), Who::Nobody),
        agent("an agent's token on a user's route", "GET", "/v1/jobs", ""),
        user("a user's token on an agent's route", "GET", "/v1/agent/orders", ""),
        user("no such route", "GET", "/v1/nothing", ""),
        user("wrong method", "DELETE", "/v1/jobs", ""),
        user("bad id", "GET", "/v1/jobs/x36", ""),
        user("bad task", "GET", "/v1/jobs/36_x", ""),
        user("id not UTF-8", "GET", "/v1/jobs/%ff", ""),
        user("unknown job", "GET", "/v1/jobs/36", ""),
        user("unknown task", "GET", "/v1/jobs/36_4/why", ""),
        user("unknown job to cancel", "POST", "/v1/jobs/36/cancel", ""),
        user("unknown parameter", "GET", "/v1/jobs?lim=5", ""),
        user("repeated parameter", "GET", "/v1/jobs?limit=5&limit=6", ""),
        user("parameter out of range", "GET", "/v1/jobs?limit=1001", ""),
        user("parameter not a number", "GET", "/v1/jobs?limit=ten", ""),
        user("bad state", "GET", "/v1/jobs?state=Running,Done", ""),
        user("bad life", "GET", "/v1/jobs?life=half", ""),
        user("bad page", "GET", "/v1/jobs?after=-1", ""),
        user("bad percent code", "GET", "/v1/jobs?name=%zz", ""),
    ]
}

fn wrong_headers() -> Vec<Case> {
    let header = |name, path: &str, field: &'static str, value: &str| {
        (name, with_header(request("GET", path, None, ""), field, value), Who::User)
    };
    let post = || request("POST", "/v1/jobs", None, JOB);
    let plain = with_header(post(), "content-type", "text/plain");
    let keyed = with_header(post(), "idempotency-key", "two words");
    vec![
        header("bad position", "/v1/jobs", "suanpan-seq", "soon"),
        header("unknown position", "/v1/jobs", "suanpan-seq", "999999"),
        header("bad event id", "/v1/events", "last-event-id", "-3"),
        ("no JSON", plain, Who::User),
        ("bad key", keyed, Who::User),
    ]
}

fn unreadable_bodies() -> Vec<Case> {
    vec![
        user("malformed JSON", "POST", "/v1/jobs", "{\"payload\": {\"command\": [\"true\""),
        user(
            "unknown field",
            "POST",
            "/v1/jobs",
            "{\"payload\": {\"command\": [\"a\"]},\n \"nods\": 1}",
        ),
        user("missing field", "POST", "/v1/jobs", "{\"name\": \"x\"}"),
        user(
            "field of another type",
            "POST",
            "/v1/jobs",
            "{\"payload\": {\"command\": [\"a\"]}, \"nodes\": \"two\"}",
        ),
        user("not JSON at all", "POST", "/v1/plan", "hello"),
    ]
}

fn bodies_that_mean_nothing() -> Vec<Case> {
    vec![
        user(
            "several bad values",
            "POST",
            "/v1/jobs",
            r#"{"payload": {"command": ["true"]}, "submit_dir": "/tmp", "time": "soon", "mem": "lots"}"#,
        ),
        user(
            "more than any site has",
            "POST",
            "/v1/jobs",
            r#"{"payload": {"command": ["true"]}, "submit_dir": "/tmp", "cpus_per_task": 64}"#,
        ),
        user(
            "impossible in a bulk",
            "POST",
            "/v1/jobs/bulk",
            r#"{"jobs": [{"payload": {"command": ["true"]}, "submit_dir": "/tmp"}, {"payload": {"command": ["true"]}, "submit_dir": "/tmp", "cpus_per_task": 64}]}"#,
        ),
        user(
            "bad value in a bulk",
            "POST",
            "/v1/jobs/bulk",
            r#"{"jobs": [{"payload": {"command": ["true"]}, "submit_dir": "/tmp", "time": "soon"}]}"#,
        ),
        user("empty bulk", "POST", "/v1/jobs/bulk", r#"{"jobs": []}"#),
        user(
            "unknown dependency",
            "POST",
            "/v1/jobs",
            r#"{"payload": {"command": ["true"]}, "submit_dir": "/tmp", "dependency": "afterok:99"}"#,
        ),
        user("bad cluster name", "POST", "/v1/sites", r#"{"cluster": "../x"}"#),
        user("cluster exists", "POST", "/v1/sites", r#"{"cluster": "home"}"#),
        agent("bad hash", "GET", "/v1/agent/blobs/xyz", ""),
        agent(
            "unsound inventory",
            "POST",
            "/v1/agent/inventory",
            &INVENTORY.replace("\"nodes\": [0]", "\"nodes\": [7]"),
        ),
        agent("wait too long", "GET", "/v1/agent/orders?wait=3600", ""),
    ]
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    Nobody,
    Stranger,
    User,
    Agent,
}

#[tokio::test(flavor = "multi_thread")]
async fn every_error_is_a_problem_that_names_field_value_and_remedy() {
    let rig = Rig::start().await;
    let got = rig.agent("POST", "/v1/agent/inventory", INVENTORY).await;
    assert_eq!(got.status, StatusCode::OK, "{}", String::from_utf8_lossy(&got.body));
    let mut shown = String::new();
    for (name, mut request, who) in wrong() {
        let token = match who {
            Who::Nobody => None,
            Who::Stranger => Some(format!("Bearer spn_u_{}", "0".repeat(64))),
            Who::User => Some(rig.user.clone()),
            Who::Agent => Some(rig.agent.clone()),
        };
        if let Some(token) = token {
            let token = token.parse().expect("tokens are ASCII");
            request.headers_mut().insert("authorization", token);
        }
        let line = format!("{} {}", request.method(), request.uri());
        let got = rig.send(request).await;
        let kind = got.header("content-type").to_owned();
        assert_eq!(kind, "application/problem+json", "{name}: {}", got.status);
        assert!(got.status.is_client_error(), "{name}: {}", got.status);
        let body = got.json();
        assert_eq!(body["status"], got.status.as_u16(), "{name}");
        for field in ["field", "remedy"] {
            assert!(body[field].is_string(), "{name} has no {field}: {body}");
        }
        let pretty = serde_json::to_string_pretty(&body).expect("JSON");
        writeln!(shown, "## {name}\n{line}\n{}", got.status.as_u16()).expect("a String");
        for header in ["allow", "www-authenticate", "retry-after"] {
            if !got.header(header).is_empty() {
                writeln!(shown, "{header}: {}", got.header(header)).expect("a String");
            }
        }
        writeln!(shown, "{pretty}\n").expect("a String");
    }
    rig.stop();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(GOLDEN, &shown).expect("the file can be written");
    }
    let golden = std::fs::read_to_string(GOLDEN).unwrap_or_default();
    for (right, found) in golden.split("## ").zip(shown.split("## ")) {
        assert_eq!(found, right, "if this is meant, run with UPDATE=1");
    }
    assert_eq!(golden.len(), shown.len(), "if this is meant, run with UPDATE=1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_over_the_limit_is_refused() {
    let rig = Rig::with(crate::config::Limits { body: 4096, ..limits() }).await;
    let body = format!("{{\"name\": \"{}\"}}", "x".repeat(5000));
    let got = rig.ask("POST", "/v1/jobs", &body).await;
    assert_eq!(got.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(got.json()["code"], "body-too-large");
    rig.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn more_requests_than_the_limit_are_told_to_come_back() {
    let rig = Rig::with(crate::config::Limits { streams: 1, ..limits() }).await;
    let held = rig.router.clone();
    let request_of = || {
        let mut request = request("GET", "/v1/events", Some(&rig.user), "");
        request.headers_mut().insert("accept", "text/event-stream".parse().expect("a header"));
        request
    };
    let open = tower::ServiceExt::oneshot(held, request_of()).await.expect("an answer");
    assert_eq!(open.status(), StatusCode::OK);
    let got = rig.send(request_of()).await;
    assert_eq!(got.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(got.header("retry-after"), "1");
    drop(open);
    rig.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_is_answered_and_named_in_the_log() {
    let rig = Rig::start().await;
    let boom = || async { panic!("a bug") as StatusCode };
    let router = axum::Router::new().route("/boom", axum::routing::get(boom)).layer(
        axum::middleware::from_fn_with_state(
            std::sync::Arc::clone(&rig.app),
            crate::http::guard::guard,
        ),
    );
    let request = request("GET", "/boom", None, "");
    let response = tower::ServiceExt::oneshot(router, request).await.expect("an answer");
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let id = response.headers()["x-request-id"].to_str().expect("ASCII").to_owned();
    let body = axum::body::to_bytes(response.into_body(), 4096).await.expect("a body");
    let problem: Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!((&problem["code"], &problem["request_id"]), (&"internal".into(), &id.into()));
    rig.stop();
}

#[test]
fn problems_of_the_framework_are_translated() {
    use axum::response::IntoResponse;
    let plain = StatusCode::URI_TOO_LONG.into_response();
    let response = crate::http::problem::translate(plain, "GET", "/", None);
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let fine: Value = serde_json::json!({});
    let response = axum::Json(fine).into_response();
    let response = crate::http::problem::translate(response, "GET", "/", None);
    assert_eq!(response.headers()["content-type"], "application/json");
}
