//! Every route there is.

use super::problem::Refusal;
use super::{
    App, accuracy, agent, agent_data, closures, datasets, events, guard, jobs, logs, membership,
    network, ops, plan, priorities, quotas, sites, submit, why,
};
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post, put};
use std::sync::Arc;

/// Builds the router and the list of its routes from one table, so that they cannot differ.
macro_rules! routes {
    ($($method:ident $path:literal => $handler:path;)*) => {
        /// Method and path of every route.
        pub const ROUTES: &[(&str, &str)] = &[$((stringify!($method), $path)),*];

        fn routed() -> Router<Arc<App>> {
            Router::new()$(.route($path, $method($handler)))*
        }
    };
}

routes! {
    post "/v1/jobs" => submit::submit;
    post "/v1/jobs/bulk" => submit::submit_bulk;
    post "/v1/plan" => plan::plan;
    get "/v1/jobs" => jobs::list;
    get "/v1/jobs/{id}" => jobs::show;
    get "/v1/jobs/{id}/tasks" => jobs::tasks;
    get "/v1/jobs/{id}/why" => why::why;
    get "/v1/jobs/{id}/events" => events::of_job;
    get "/v1/jobs/{id}/logs" => logs::logs;
    post "/v1/jobs/{id}/cancel" => jobs::cancel;
    post "/v1/jobs/{id}/hold" => jobs::hold;
    post "/v1/jobs/{id}/release" => jobs::release;
    post "/v1/jobs/{id}/requeue" => jobs::requeue;
    get "/v1/history" => jobs::history;
    get "/v1/sites" => sites::list;
    get "/v1/sites/accuracy" => accuracy::show;
    post "/v1/sites" => sites::add;
    post "/v1/sites/invite" => membership::invite;
    post "/v1/sites/{cluster}/approve" => membership::approve;
    post "/v1/sites/{cluster}/revoke" => membership::revoke;
    post "/v1/sites/{cluster}/drain" => closures::drain;
    post "/v1/sites/{cluster}/undrain" => closures::undrain;
    get "/v1/reservations" => closures::list;
    post "/v1/reservations" => closures::create;
    post "/v1/reservations/end" => closures::end;
    get "/v1/priorities" => priorities::show;
    post "/v1/priorities" => priorities::set;
    post "/v1/priorities/clear" => priorities::clear;
    get "/v1/priorities/jobs" => priorities::jobs;
    get "/v1/priorities/shares" => priorities::shares;
    get "/v1/flavors" => sites::flavors;
    get "/v1/network/links" => network::links;
    get "/v1/network/metrics" => network::metrics;
    get "/v1/quotas" => quotas::list;
    post "/v1/quotas" => quotas::set;
    post "/v1/quotas/clear" => quotas::clear;
    get "/v1/datasets" => datasets::list;
    post "/v1/datasets" => datasets::register;
    get "/v1/datasets/show" => datasets::show;
    post "/v1/datasets/remove" => datasets::remove;
    post "/v1/datasets/pin" => datasets::pin;
    post "/v1/datasets/unpin" => datasets::unpin;
    post "/v1/datasets/fetch" => datasets::fetch;
    get "/v1/chunks/{hash}" => datasets::chunk;
    put "/v1/chunks/{hash}" => datasets::put_chunk;
    get "/v1/events" => events::all;
    get "/v1/authority" => membership::authority;
    post "/v1/agent/join" => membership::join;
    post "/v1/agent/inventory" => agent::inventory;
    get "/v1/agent/orders" => agent::orders;
    post "/v1/agent/reports" => agent::reports;
    get "/v1/agent/blobs/{hash}" => agent::blob;
    post "/v1/agent/log-chunks" => agent::log_chunk;
    get "/v1/agent/data" => agent_data::data;
    post "/v1/agent/data-reports" => agent_data::reports;
    get "/v1/agent/chunks/{hash}" => agent_data::chunk;
    put "/v1/agent/chunks/{hash}" => agent_data::put_chunk;
    get "/v1/agent/missing/{hash}" => agent_data::missing;
    post "/v1/agent/datasets" => agent_data::publish;
    get "/v1/agent/probe" => network::probe;
    post "/v1/agent/probe" => network::probe_up;
    get "/v1/openapi.json" => ops::openapi;
    get "/v1/version" => ops::version;
    get "/metrics" => ops::metrics;
    get "/livez" => ops::livez;
    get "/readyz" => ops::readyz;
}

/// The methods a route's path takes, as `Allow` lists them.
pub(super) fn methods_of(path: &str) -> String {
    let mut methods = Vec::new();
    for (method, _) in ROUTES.iter().filter(|(_, other)| *other == path) {
        methods.push(method.to_uppercase());
        if *method == "get" {
            methods.push("HEAD".to_owned());
        }
    }
    methods.join(", ")
}

/// Routes that need no token.
pub const OPEN_ROUTES: &[&str] = &["/livez", "/readyz", "/v1/authority"];

/// The router, with what stands around every request.
pub fn build(app: Arc<App>) -> Router {
    routed()
        .fallback(no_such_route)
        .layer(DefaultBodyLimit::max(app.limits.body))
        .layer(from_fn_with_state(Arc::clone(&app), guard::guard))
        .with_state(app)
}

async fn no_such_route(request: Request) -> Refusal {
    let path = request.uri().path();
    Refusal::not_found("no-such-route", format!("there is no {path}"))
        .at("path", path)
        .remedy("see GET /v1/openapi.json for what there is")
}
