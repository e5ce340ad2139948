//! Datasets from registration to a job that reads them and one that makes one.

use super::{INVENTORY, Rig};
use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};

/// A manifest of one file of these chunks.
fn manifest(chunks: &[&[u8]]) -> Value {
    let chunks: Vec<Value> =
        chunks.iter().map(|bytes| json!({"hash": hash(bytes), "bytes": bytes.len()})).collect();
    json!({"files": [{"path": "data/a.bin", "chunks": chunks}]})
}

fn hash(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

impl Rig {
    /// Sends a chunk under a hash.
    async fn put(&self, token: &str, path: &str, bytes: &[u8]) -> super::Got {
        let request = Request::builder().method("PUT").uri(path).header("Authorization", token);
        self.send(request.body(Body::from(bytes.to_vec())).expect("a sound request")).await
    }

    /// Registers, again while the store is still being read.
    async fn register(&self, name: &str, manifest: &Value) -> Value {
        let body = json!({"name": name, "manifest": manifest}).to_string();
        for _ in 0..100 {
            let got = self.ask("POST", "/v1/datasets", &body).await;
            if got.status != StatusCode::SERVICE_UNAVAILABLE {
                assert_eq!(got.status, StatusCode::OK, "{}", String::from_utf8_lossy(&got.body));
                return got.json();
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("the store was never read");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_sends_what_is_missing_and_damage_is_refused_by_name() {
    let rig = Rig::start().await;
    let first = rig.register("corpus", &manifest(&[b"one", b"two", b"two"])).await;
    assert_eq!((&first["version"], &first["bytes"]), (&json!(1), &json!(9)));
    assert_eq!(first["missing"].as_array().expect("a list").len(), 2);
    let user = rig.user.clone();
    let path = |bytes: &[u8]| format!("/v1/chunks/{}", hash(bytes));
    let flipped = rig.put(&user, &path(b"one"), b"onf").await;
    assert_eq!(flipped.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(flipped.json()["code"], "damaged-chunk");
    assert_eq!(flipped.json()["value"], hash(b"one").as_str());
    let unwanted = rig.put(&user, &path(b"three"), b"three").await;
    assert_eq!(unwanted.json()["code"], "unwanted-chunk");
    assert_eq!(rig.put(&user, &path(b"one"), b"one").await.status, StatusCode::NO_CONTENT);
    let again = rig.register("corpus", &manifest(&[b"one", b"two", b"two"])).await;
    assert_eq!((&again["version"], &again["missing"]), (&json!(1), &json!([hash(b"two")])));
    assert_eq!(rig.put(&user, &path(b"two"), b"two").await.status, StatusCode::NO_CONTENT);
    let shown = rig.ask("GET", "/v1/datasets/show?name=corpus", "").await.json();
    assert_eq!(
        shown["dataset"]["replicas"],
        json!([{"site": "hub", "present_bytes": 9, "complete": true}])
    );
    assert_eq!(rig.ask("GET", &path(b"two"), "").await.body, b"two");
    // The next version shares a chunk.
    let second = rig.register("corpus", &manifest(&[b"one", b"four"])).await;
    assert_eq!((&second["version"], &second["missing"]), (&json!(2), &json!([hash(b"four")])));
    let gone = rig.ask("POST", "/v1/datasets/remove", r#"{"name": "corpus", "version": 1}"#).await;
    assert_eq!(gone.status, StatusCode::OK);
    let list = rig.ask("GET", "/v1/datasets?name=corpus", "").await.json();
    assert_eq!(list["datasets"].as_array().expect("a list").len(), 1);
    let wrong = json!({"name": "Corpus", "manifest": {"files": []}}).to_string();
    assert_eq!(rig.ask("POST", "/v1/datasets", &wrong).await.json()["field"], "name");
    let wrong = json!({"name": "c", "manifest": {"files": [{"path": "/etc", "chunks": []}]}});
    let wrong = rig.ask("POST", "/v1/datasets", &wrong.to_string()).await;
    assert_eq!(wrong.json()["code"], "invalid-manifest");
    rig.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_is_told_to_hold_what_its_jobs_read_and_what_they_make_has_lineage() {
    let rig = Rig::start().await;
    assert_eq!(rig.agent("POST", "/v1/agent/inventory", INVENTORY).await.status, StatusCode::OK);
    let job = |dataset: &str| {
        let job = json!({
            "payload": {"command": ["true"]}, "submit_dir": "/tmp",
            "datasets": [{"dataset": dataset, "to": "in"}],
            "publish": [{"dataset": "model", "path": "out"}],
        });
        job.to_string()
    };
    let unknown = rig.ask("POST", "/v1/jobs", &job("corpus@7")).await;
    assert_eq!(unknown.status, StatusCode::BAD_REQUEST);
    assert_eq!(unknown.json()["field"], "datasets[0].dataset");
    let corpus = rig.register("corpus", &manifest(&[b"one"])).await;
    let submitted = rig.ask("POST", "/v1/jobs", &job("corpus")).await;
    assert_eq!(submitted.status, StatusCode::CREATED, "{:?}", submitted.json());
    let why = rig.ask("GET", "/v1/jobs/1/why", "").await.json();
    assert_eq!(why["pending"]["reason"], "InputMissing", "{why}");
    let idle = rig.agent("GET", "/v1/agent/data?since=0", "").await.json();
    assert_eq!(idle["weigh"], json!([corpus["manifest"]]), "{idle}");
    let user = rig.user.clone();
    let chunk = format!("/v1/chunks/{}", hash(b"one"));
    assert_eq!(rig.put(&user, &chunk, b"one").await.status, StatusCode::NO_CONTENT);
    let mut answer = idle;
    for _ in 0..20 {
        let path = format!("/v1/agent/data?since={}&wait=10", answer["version"]);
        answer = rig.agent("GET", &path, "").await.json();
        if answer["hold"].as_array().is_some_and(|hold| !hold.is_empty()) {
            break;
        }
    }
    let hold = &answer["hold"][0];
    assert_eq!(hold["manifest"], corpus["manifest"], "{answer}");
    assert_eq!(hold["sources"], json!([{"store": {}}]));
    assert_eq!(hold["staged_for"], json!([1]));
    let reports = json!({"replicas": [{"manifest": corpus["manifest"], "present_bytes": 3}]});
    let told = rig.agent("POST", "/v1/agent/data-reports", &reports.to_string()).await;
    assert_eq!(told.status, StatusCode::NO_CONTENT);
    let made = json!({"name": "model", "made_by": 1, "manifest": manifest(&[b"weights"])});
    for _ in 0..2 {
        let made = rig.agent("POST", "/v1/agent/datasets", &made.to_string()).await;
        assert_eq!(made.status, StatusCode::OK, "{:?}", made.json());
        assert_eq!(made.json()["version"], 1);
    }
    let model = rig.ask("GET", "/v1/datasets?name=model", "").await.json();
    let lineage = &model["datasets"][0]["lineage"];
    assert_eq!((&lineage["job"], &lineage["inputs"]), (&json!(1), &json!(["corpus@1"])));
    let pin = r#"{"name": "model", "site": "home"}"#;
    assert_eq!(rig.ask("POST", "/v1/datasets/pin", pin).await.status, StatusCode::OK);
    let busy = rig.ask("POST", "/v1/datasets/remove", r#"{"name": "corpus"}"#).await;
    assert_eq!(
        (busy.status, &busy.json()["code"]),
        (StatusCode::CONFLICT, &json!("dataset-in-use"))
    );
    // What a site made and the store has not is asked of the site once somebody wants it.
    let whole = manifest_hash(&rig, "model").await;
    let reports = json!({"replicas": [{"manifest": whole, "present_bytes": 7}]}).to_string();
    rig.agent("POST", "/v1/agent/data-reports", &reports).await;
    let wanted = rig.ask("POST", "/v1/datasets/fetch", r#"{"name": "model"}"#).await.json();
    assert_eq!((&wanted["present_bytes"], &wanted["from"]), (&json!(0), &json!("home")));
    let relay = rig.agent("GET", "/v1/agent/data", "").await.json();
    assert_eq!(relay["relay"], json!([whole]), "{relay}");
    let (agent, path) = (rig.agent.clone(), format!("/v1/agent/chunks/{}", hash(b"weights")));
    assert_eq!(rig.put(&agent, &path, b"weights").await.status, StatusCode::NO_CONTENT);
    let there = rig.ask("POST", "/v1/datasets/fetch", r#"{"name": "model"}"#).await.json();
    assert_eq!(there["present_bytes"], 7);
    let relay = rig.agent("GET", "/v1/agent/data", "").await.json();
    assert_eq!(relay["relay"], json!([]), "{relay}");
    rig.stop();
}

async fn manifest_hash(rig: &Rig, name: &str) -> Value {
    let list = rig.ask("GET", &format!("/v1/datasets?name={name}"), "").await.json();
    list["datasets"][0]["manifest"].clone()
}
