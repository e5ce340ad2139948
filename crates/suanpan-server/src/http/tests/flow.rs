//! What users and agents do, from a submission to its end.

use super::{INVENTORY, Rig, request};
use axum::http::StatusCode;
use serde_json::{Value, json};
use std::time::Duration;

const JOB: &str = r#"{"payload": {"command": ["true"]}, "submit_dir": "/tmp", "name": "first"}"#;

async fn joined() -> Rig {
    let rig = Rig::start().await;
    let got = rig.agent("POST", "/v1/agent/inventory", INVENTORY).await;
    assert_eq!(got.status, StatusCode::OK, "{}", String::from_utf8_lossy(&got.body));
    assert_eq!(got.json()["contact_period_s"], 30);
    rig
}

async fn order(rig: &Rig) -> Value {
    let mut since = 0;
    for _ in 0..50 {
        let path = format!("/v1/agent/orders?since={since}&wait=5");
        let got = rig.agent("GET", &path, "").await;
        assert_eq!(got.status, StatusCode::OK);
        let answer = got.json();
        since = answer["version"].as_u64().expect("a version");
        let orders = ["whole", "changed"].map(|name| answer[name].as_array().cloned());
        if let Some(order) = orders.into_iter().flatten().flatten().next() {
            return order;
        }
    }
    panic!("no order came");
}

async fn report(rig: &Rig, order: &Value, fact: Value) {
    let mut fact = fact;
    fact["allocation"] = order["allocation"].clone();
    let report = json!({
        "allocation": order["allocation"], "generation": order["generation"],
        "at": 1_900_000_000_000_000_i64, "fact": fact,
    });
    let body = json!({ "reports": [report] }).to_string();
    let got = rig.agent("POST", "/v1/agent/reports", &body).await;
    assert_eq!(got.status, StatusCode::NO_CONTENT, "{}", String::from_utf8_lossy(&got.body));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_submitted_placed_run_and_explained() {
    let rig = joined().await;
    let planned = rig.ask("POST", "/v1/plan", JOB).await.json();
    assert_eq!(planned["feasible"], "now", "{planned}");
    let got = rig.ask("POST", "/v1/jobs", JOB).await;
    assert_eq!(got.status, StatusCode::CREATED, "{}", String::from_utf8_lossy(&got.body));
    assert_eq!(got.header("location"), "/v1/jobs/1");
    assert_eq!(got.json()["jobs"], json!([{"id": 1, "tasks": 1}]));
    let order = order(&rig).await;
    let hash = order["desired"]["run"]["launch"].as_str().expect("an order to run").to_owned();
    let launch = rig.agent("GET", &format!("/v1/agent/blobs/{hash}"), "").await;
    assert_eq!(launch.json()["payload"]["command"], json!(["true"]));
    report(&rig, &order, json!({"fact": "started"})).await;
    let outcome = json!({
        "fact": "ended", "end": {"kind": "exited", "code": 0}, "payload": "started",
        "usage": {"wall_us": 1_500_000, "cpu_us": 1_000_000, "memory_peak_bytes": 4096},
    });
    report(&rig, &order, outcome).await;
    let shown = rig.ask("GET", "/v1/jobs/1?wait_terminal=20&launch=true", "").await.json();
    assert_eq!(shown["state"], "Completed", "{shown}");
    assert_eq!(shown["attempts"][0]["ending"]["used"]["wall_s"], 1.5);
    assert_eq!(shown["launch"]["payload"]["command"], json!(["true"]));
    assert_eq!(shown["cluster"], "home");
    let why = rig.ask("GET", "/v1/jobs/1/why", "").await.json();
    assert_eq!(why["placed"]["chosen"]["cluster"], "home", "{why}");
    let listed = rig.ask("GET", "/v1/history?state=Completed", "").await.json();
    assert_eq!(listed["jobs"][0]["id"], 1);
    let live = rig.ask("GET", "/v1/jobs?life=live", "").await.json();
    assert_eq!(live["jobs"], json!([]));
    let events = rig.ask("GET", "/v1/jobs/1/events", "").await.json();
    let kinds: Vec<&str> = events["events"]
        .as_array()
        .expect("events")
        .iter()
        .filter_map(|event| event["kind"].as_str())
        .collect();
    assert_eq!(kinds, ["submitted", "placed", "started", "ended"]);
    rig.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_key_submits_once() {
    let rig = joined().await;
    let keyed = |body: &str| {
        let mut request = request("POST", "/v1/jobs", Some(&rig.user), body);
        request.headers_mut().insert("idempotency-key", "k-1".parse().expect("a header"));
        request
    };
    let first = rig.send(keyed(JOB)).await;
    let again = rig.send(keyed(JOB)).await;
    assert_eq!(first.json()["jobs"], again.json()["jobs"]);
    let other = rig.send(keyed(&JOB.replace("first", "second"))).await;
    assert_eq!(other.status, StatusCode::CONFLICT);
    assert_eq!(other.json()["code"], "idempotency-key-reused");
    let unkeyed = rig.ask("POST", "/v1/jobs", JOB).await;
    assert_eq!(unkeyed.json()["jobs"][0]["id"], 2);
    rig.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn arrays_list_their_tasks_and_holds_are_told() {
    let rig = joined().await;
    let array = JOB.replace("\"name\"", "\"array\": \"0-9:3%2\", \"hold\": true, \"name\"");
    let bulk = format!("{{\"jobs\": [{array}, {JOB}]}}");
    let got = rig.ask("POST", "/v1/jobs/bulk", &bulk).await;
    assert_eq!(got.json()["jobs"], json!([{"id": 1, "tasks": 4}, {"id": 5, "tasks": 1}]));
    let seq = got.header("suanpan-seq").to_owned();
    let mut read = request("GET", "/v1/jobs/1/tasks?limit=3", Some(&rig.user), "");
    read.headers_mut().insert("suanpan-seq", seq.parse().expect("a number"));
    let page = rig.send(read).await.json();
    let indexes: Vec<u64> = page["tasks"]
        .as_array()
        .expect("tasks")
        .iter()
        .filter_map(|task| task["index"].as_u64())
        .collect();
    assert_eq!(indexes, [0, 3, 6]);
    assert_eq!(page["tasks"][0]["reason"], "JobHeldUser");
    let next = page["next"].as_str().expect("a next page");
    let page = rig.ask("GET", &format!("/v1/jobs/1/tasks?after={next}"), "").await.json();
    assert_eq!(page["tasks"][0]["index"], 9);
    assert_eq!(page["next"], Value::Null);
    let task = rig.ask("GET", "/v1/jobs/1_6", "").await.json();
    assert_eq!((&task["task"]["id"], &task["task"]["index"]), (&json!(3), &json!(6)));
    let why = rig.ask("GET", "/v1/jobs/1/why", "").await.json();
    assert_eq!(why["pending"]["reason"], "JobHeldUser", "{why}");
    let cancelled = rig.ask("POST", "/v1/jobs/1/cancel", "").await;
    assert_eq!(cancelled.status, StatusCode::OK);
    let shown = rig.ask("GET", "/v1/jobs/1?wait_terminal=20", "").await.json();
    assert_eq!(shown["state"], "Cancelled");
    rig.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn sites_and_flavors_show_what_there_is() {
    let rig = joined().await;
    let sites = rig.ask("GET", "/v1/sites", "").await.json();
    assert_eq!(sites["sites"][0]["capacity"]["cpus"], 4);
    assert_eq!(sites["sites"][0]["contact"], "reachable");
    let flavors = rig.ask("GET", "/v1/flavors", "").await.json();
    assert_eq!(flavors["flavors"][0]["offers"][0]["cpu_hour"]["micro"], 1_000_000);
    let added = rig.ask("POST", "/v1/sites", r#"{"cluster": "away"}"#).await;
    assert_eq!(added.status, StatusCode::CREATED);
    assert_eq!(added.header("cache-control"), "no-store");
    let token = added.json()["token"].as_str().expect("a token").to_owned();
    let bearer = format!("Bearer {token}");
    let orders = rig.send(request("GET", "/v1/agent/orders", Some(&bearer), "")).await;
    assert_eq!(orders.status, StatusCode::OK);
    let sites = rig.ask("GET", "/v1/sites", "").await;
    assert_eq!(sites.json()["sites"][0]["contact"], "expected");
    assert!(!String::from_utf8_lossy(&sites.body).contains(&token));
    rig.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_tell_events_and_end_with_the_job() {
    let rig = joined().await;
    let held = JOB.replace("\"name\"", "\"hold\": true, \"name\"");
    let submitted = rig.ask("POST", "/v1/jobs", &held).await;
    let mut follow = request("GET", "/v1/jobs/1/events", Some(&rig.user), "");
    follow.headers_mut().insert("accept", "text/event-stream".parse().expect("a header"));
    follow
        .headers_mut()
        .insert("suanpan-seq", submitted.header("suanpan-seq").parse().expect("a number"));
    let cancel = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        rig.ask("POST", "/v1/jobs/1/cancel", "").await
    };
    let (stream, cancelled) = tokio::join!(rig.send(follow), cancel);
    assert_eq!(cancelled.status, StatusCode::OK);
    assert_eq!(stream.header("content-type"), "text/event-stream");
    let text = String::from_utf8(stream.body).expect("UTF-8");
    assert!(text.contains("\"kind\":\"submitted\""), "{text}");
    assert!(text.contains("event: end"), "{text}");
    rig.stop();
}
