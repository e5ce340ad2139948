//! The router in this process, over a real control plane in a fresh directory.

mod data;
mod flow;
mod problems;
mod routes;

use super::auth::{Token, TokenKind, Tokens};
use super::{App, Phase, router};
use crate::config::{Config, Limits, Sources};
use crate::data::{DataHub, DataOptions};
use crate::pipeline::{ControlPlane, Options, Stopper};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use serde_json::Value;
use std::sync::Arc;
use suanpan_engine::command::{AddSite, AddUser, Caller, Command};
use suanpan_engine::sequencer::Reply;
use tempfile::TempDir;
use tokio::sync::watch;
use tower::ServiceExt;

/// A server without a socket.
struct Rig {
    router: Router,
    app: Arc<App>,
    user: String,
    agent: String,
    stop: watch::Sender<Phase>,
    stopper: Stopper,
    _dir: TempDir,
}

/// What came back.
#[derive(Debug)]
struct Got {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Got {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("headers are ASCII"))
    }
}

fn limits() -> Limits {
    Config::read(&Sources::default()).expect("the defaults are sound").limits
}

impl Rig {
    async fn start() -> Rig {
        Rig::with(limits()).await
    }

    async fn with(limits: Limits) -> Rig {
        let dir = TempDir::new().expect("there is a place for temporary directories");
        let (plane, stopper) =
            ControlPlane::start(Options::new(dir.path().to_owned())).expect("an empty directory");
        let user = Token::generate(TokenKind::User).expect("randomness");
        let agent = Token::generate(TokenKind::Agent).expect("randomness");
        let add = AddUser { user: "ann".into(), token: user.hash() };
        let add = Command::AddUser(add);
        plane.command(Caller::System, add, Vec::new()).await.expect("a first user");
        let add = AddSite { cluster: "home".into(), token: agent.hash() };
        let added = plane.command(Caller::User("ann".into()), Command::AddSite(add), Vec::new());
        let added = added.await.expect("a first cluster");
        assert!(matches!(added.reply, Reply::Cluster(_)));
        let (stop, stopping) = watch::channel(Phase::Serving);
        // No tokens are handed over: the first request with each finds it in the state.
        let store = dir.path().join("chunks").display().to_string();
        let options = DataOptions { store, site: "hub".into(), limits: Default::default() };
        let data = DataHub::open(options).expect("a directory can be made");
        let places = (dir.path().to_owned(), data);
        let app =
            App::new(plane, places, Tokens::default(), Default::default(), limits, stopping, 7);
        let app = Arc::new(app);
        let keeper = Arc::clone(&app);
        tokio::spawn(async move { keeper.keep_data().await });
        Rig {
            router: router::build(Arc::clone(&app)),
            app,
            user: format!("Bearer {}", user.reveal()),
            agent: format!("Bearer {}", agent.reveal()),
            stop,
            stopper,
            _dir: dir,
        }
    }

    async fn send(&self, request: Request<Body>) -> Got {
        let response = self.router.clone().oneshot(request).await.expect("routers always answer");
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 64 << 20).await.expect("answers are whole").to_vec();
        Got { status: parts.status, headers: parts.headers, body }
    }

    /// A request with the user's token.
    async fn ask(&self, method: &str, path: &str, body: &str) -> Got {
        self.send(request(method, path, Some(&self.user), body)).await
    }

    /// A request with the agent's token.
    async fn agent(&self, method: &str, path: &str, body: &str) -> Got {
        self.send(request(method, path, Some(&self.agent), body)).await
    }

    fn stop(self) {
        self.stop.send_replace(Phase::Stopping);
        drop((self.router, self.app));
        let stopper = self.stopper;
        tokio::task::block_in_place(|| stopper.stop()).expect("an orderly stop");
    }
}

fn request(method: &str, path: &str, token: Option<&str>, body: &str) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(token) = token {
        request = request.header("Authorization", token);
    }
    if !body.is_empty() {
        request = request.header("Content-Type", "application/json");
    }
    request.body(Body::from(body.to_owned())).expect("a sound request")
}

/// An inventory of one small cluster named `home`.
const INVENTORY: &str = r#"{
    "site": "home", "cluster": "home", "driver": "noop", "zone": "UTC", "home": true,
    "shared_paths": ["/"],
    "flavors": [{"name": "cpu", "speed_milli": 1000,
        "price": {"cpu_hour": 1000000, "gpu_hour": 0, "gib_hour": 0}}],
    "nodes": [{"name": "n1", "flavor": 0, "capacity": {"cpus": 4, "memory": 8192}}],
    "partitions": [{"name": "main", "default": true, "time_max": 3600, "time_default": 600,
        "nodes_max_per_job": 1, "nodes": [0]}],
    "links": []
}"#;
