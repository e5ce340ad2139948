//! Every route: described, closed without a token, and only for its own kind of token.

use super::{Rig, request};
use crate::http::openapi;
use crate::http::router::{OPEN_ROUTES, ROUTES};
use axum::http::StatusCode;
use serde_json::Value;
use std::collections::BTreeSet;

const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../openapi/suanpan-v1.json");

fn concrete(path: &str) -> String {
    path.replace("{id}", "1").replace("{hash}", &"0".repeat(64))
}

#[test]
fn the_committed_document_is_fresh() {
    let document = openapi::document();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(COMMITTED, &document).expect("the document can be written");
    }
    let committed = std::fs::read_to_string(COMMITTED).unwrap_or_default();
    assert!(
        committed == document,
        "openapi/suanpan-v1.json is stale: run this test with UPDATE=1 and commit the file"
    );
}

#[test]
fn the_document_and_the_router_have_the_same_routes() {
    let document: Value = serde_json::from_str(&openapi::document()).expect("JSON");
    let mut described = BTreeSet::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for method in item.as_object().expect("a path item").keys() {
            described.insert((method.clone(), path.clone()));
        }
    }
    let routed: BTreeSet<(String, String)> =
        ROUTES.iter().map(|(method, path)| ((*method).to_owned(), (*path).to_owned())).collect();
    assert_eq!(described, routed);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_health_needs_no_token() {
    let rig = Rig::start().await;
    for (method, path) in ROUTES {
        let method = method.to_uppercase();
        let got = rig.send(request(&method, &concrete(path), None, "")).await;
        if OPEN_ROUTES.contains(path) {
            assert_eq!(got.status, StatusCode::OK, "{method} {path}");
        } else {
            assert_eq!(got.status, StatusCode::UNAUTHORIZED, "{method} {path}");
            assert_eq!(got.header("www-authenticate"), "Bearer realm=\"suanpan\"");
        }
    }
    rig.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_token_opens_its_own_routes_only() {
    let rig = Rig::start().await;
    for (method, path) in ROUTES.iter().filter(|(_, path)| !OPEN_ROUTES.contains(path)) {
        let for_agents = path.starts_with("/v1/agent/");
        let wrong = if for_agents { &rig.user } else { &rig.agent };
        let method = method.to_uppercase();
        let got = rig.send(request(&method, &concrete(path), Some(wrong), "")).await;
        assert_eq!(got.status, StatusCode::FORBIDDEN, "{method} {path}");
    }
    rig.stop();
}
