//! How well what was foretold came true.

use super::App;
use super::auth::{Right, User};
use super::jobs::wait_for_seen;
use super::ops::unreadable;
use super::params::Params;
use super::problem::Answer;
use super::submit::aside;
use crate::pipeline::views::accuracy::Graded;
use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use std::sync::Arc;
use suanpan_wire::v1;

/// Says how well what was foretold at placement came true, cluster by cluster.
#[utoipa::path(
    get, path = "/v1/sites/accuracy", tag = "sites", operation_id = "site_accuracy",
    params(("Suanpan-Seq" = Option<u64>, Header, maximum = 9007199254740991_i64,
        description = "Show at least this position.")),
    responses((status = 200, description = "The clusters", body = v1::AccuracyList))
)]
pub(super) async fn show(
    State(app): State<Arc<App>>,
    user: User,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer<Json<v1::AccuracyList>> {
    user.must(Right::Look)?;
    Params::read(query.as_deref(), &[])?;
    wait_for_seen(&app, &headers).await?;
    let seq = app.plane.views().last_seq();
    let graded = aside(move || app.plane.views().accuracy().map_err(|error| unreadable(&error)));
    let mut sites: Vec<v1::SiteAccuracy> = graded.await?.iter().map(shown).collect();
    sites.sort_by(|one, other| one.cluster.cmp(&other.cluster));
    Ok(Json(v1::AccuracyList { sites, seq }))
}

fn shown(graded: &Graded) -> v1::SiteAccuracy {
    let jobs = graded.start.len() as u64;
    let hits = graded.hits * 1_000 / jobs.max(1);
    v1::SiteAccuracy {
        site: graded.site.clone(),
        cluster: graded.cluster.clone(),
        jobs,
        interval_hits_milli: u32::try_from(hits).expect("a share is at most a thousand"),
        start: v1::ErrorSpread::of(&graded.start),
        staging: v1::ErrorSpread::of(&graded.staging),
        run: v1::ErrorSpread::of(&graded.run),
        finish: v1::ErrorSpread::of(&graded.finish),
    }
}
