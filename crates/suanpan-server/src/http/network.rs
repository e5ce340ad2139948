//! The network between sites: what agents measure of it, what is believed of it, and scores.

use super::App;
use super::agent::check_protocol;
use super::auth::{Agent, Right, User};
use super::convert::time;
use super::jobs::read_seq;
use super::params::Params;
use super::problem::{Answer, Refusal};
use crate::pipeline::links::{Foreign, Untaken};
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures_core::Stream;
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};
use std::time::Instant;
use suanpan_engine::state::Cluster;
use suanpan_model::network::{LinkEstimate, Origin, Sample};
use suanpan_model::site::Node;
use suanpan_model::time::Timestamp;
use suanpan_model::tres::Tres;
use suanpan_sched::link::score::{FORMULA, Facts, scores};
use suanpan_sched::snapshot::{ClosureKind, Contact};
use suanpan_wire::agent_data::ProbeSeen;
use suanpan_wire::v1;

/// Most bytes of one measurement.
const PROBE_BYTES_MAX: i64 = 256 << 20;

/// Most samples in one message.
const SAMPLES_MAX: usize = 10_000;

/// Lists what is believed of the links between sites: delay, loss and throughput, with where each
/// is from.
#[utoipa::path(
    get, path = "/v1/network/links", tag = "network", operation_id = "list_links",
    params(("Suanpan-Seq" = Option<u64>, Header, maximum = 9007199254740991_i64,
        description = "Show at least this position.")),
    responses((status = 200, description = "The links", body = v1::LinkList))
)]
pub(super) async fn links(
    State(app): State<Arc<App>>,
    user: User,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer<Json<v1::LinkList>> {
    user.must(Right::Look)?;
    Params::read(query.as_deref(), &[])?;
    read_seq(&app, &headers)?;
    let sampled = app.plane.links().sampled();
    let links = app.plane.ask(|state, _| state.links()).await?;
    let show = |(ends, link): ((String, String), LinkEstimate)| {
        let at = sampled.get(&ends).copied();
        link_state(ends, &link, at)
    };
    Ok(Json(v1::LinkList {
        hub: app.plane.links().options().hub.clone(),
        links: links.into_iter().map(show).collect(),
        seq: app.plane.durable_seq(),
    }))
}

fn link_state(
    (from, to): (String, String),
    link: &LinkEstimate,
    sampled: Option<Timestamp>,
) -> v1::LinkState {
    v1::LinkState {
        from,
        to,
        round_trip_p50_us: link.round_trip_us,
        round_trip_p99_us: link.round_trip_p99_us,
        loss_ppm: link.loss_ppm,
        throughput_bps: link.throughput_bps,
        delay_from: source(link.delay_from),
        throughput_from: source(link.throughput_from),
        changed_at: time(link.at),
        sampled_at: sampled.map(time),
    }
}

fn source(origin: Origin) -> v1::LinkSource {
    match origin {
        Origin::Declared => v1::LinkSource::Declared,
        Origin::Assumed => v1::LinkSource::Assumed,
        Origin::Measured => v1::LinkSource::Measured,
        Origin::Derived => v1::LinkSource::Derived,
    }
}

/// Scores every site from 0 to 10 in the metric model of IETF CATS, as it is seen from one place.
#[utoipa::path(
    get, path = "/v1/network/metrics", tag = "network", operation_id = "list_metrics",
    params(
        ("from" = Option<String>, Query,
            description = "Site from which the network is looked at; the control plane's place."),
        ("Suanpan-Seq" = Option<u64>, Header, maximum = 9007199254740991_i64,
            description = "Show at least this position."),
    ),
    responses(
        (status = 200, description = "The scores", body = v1::SiteMetricList),
        (status = 404, description = "There is no such site",
            body = v1::Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn metrics(
    State(app): State<Arc<App>>,
    user: User,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer<Json<v1::SiteMetricList>> {
    user.must(Right::Look)?;
    let params = Params::read(query.as_deref(), &["from"])?;
    read_seq(&app, &headers)?;
    let hub = &app.plane.links().options().hub;
    let from = params.text("from").unwrap_or(hub).to_owned();
    let sampled = app.plane.links().sampled();
    let question = app.plane.ask(|state, now| {
        let clusters: Vec<Cluster> = state.clusters().map(|(_, one)| one.clone()).collect();
        (clusters, state.links(), now)
    });
    let (clusters, links, now) = question.await?;
    let is_site =
        |one: &Cluster| one.inventory.as_ref().is_some_and(|inventory| inventory.site == from);
    if from != *hub && !clusters.iter().any(is_site) {
        return Err(Refusal::not_found("unknown-site", "there is no such site")
            .at("from", from)
            .remedy(format!("use a site of GET /v1/sites, or {hub}")));
    }
    let show = |cluster: &Cluster| {
        let inventory = cluster.inventory.as_ref().filter(|_| cluster.is_member())?;
        let ends = (from.clone(), inventory.site.clone());
        let link = links.get(&ends).copied();
        let at = sampled.get(&ends).copied();
        let facts = facts(cluster, &inventory.nodes, link, now);
        let shown = link.map(|link| link_state(ends, &link, at));
        Some(site_metrics(cluster, &inventory.site, &facts, shown))
    };
    let mut sites: Vec<v1::SiteMetrics> = clusters.iter().filter_map(show).collect();
    sites.sort_by(|a, b| a.cluster.cmp(&b.cluster));
    let seq = app.plane.durable_seq();
    Ok(Json(v1::SiteMetricList { formula: FORMULA.to_owned(), from, sites, seq }))
}

fn facts(cluster: &Cluster, nodes: &[Node], link: Option<LinkEstimate>, now: Timestamp) -> Facts {
    let total = |of: &dyn Fn(&Tres) -> u32| {
        let all = nodes.iter().map(|node| u64::from(of(&node.capacity))).sum();
        [all, cluster.free.iter().map(|free| u64::from(of(free))).sum()]
    };
    let is_drained = |node: &Node| {
        cluster.closures.values().any(|closed| {
            let closure = &closed.closure;
            closure.kind == ClosureKind::Drain
                && (closure.from..closure.until).contains(&now)
                && closure.nodes.contains(&node.name)
        })
    };
    let is_open = |node: &&Node| node.room() != Tres::default() && !is_drained(node);
    let flavors = cluster.inventory.iter().flat_map(|inventory| &inventory.flavors);
    Facts {
        link,
        cpus: total(&|tres| tres.cpus),
        gpus: total(&|tres| tres.gpus),
        nodes: [nodes.len() as u64, nodes.iter().filter(is_open).count() as u64],
        is_reachable: cluster.contact.0 == Contact::Reachable,
        speed_milli: flavors.map(|flavor| flavor.speed_milli).max().unwrap_or(0),
    }
}

fn site_metrics(
    cluster: &Cluster,
    site: &str,
    facts: &Facts,
    link: Option<v1::LinkState>,
) -> v1::SiteMetrics {
    let scores = scores(facts);
    v1::SiteMetrics {
        cluster: cluster.name.clone(),
        site: site.to_owned(),
        l0: v1::MetricValues {
            link,
            cpus: facts.cpus[0],
            cpus_free: facts.cpus[1],
            gpus: facts.gpus[0],
            gpus_free: facts.gpus[1],
            nodes: facts.nodes[0],
            nodes_open: facts.nodes[1],
            reachable: facts.is_reachable,
            speed_milli: facts.speed_milli,
        },
        l1: v1::CategoryScores {
            communication: scores.communication,
            compute: scores.compute,
            service: scores.service,
            composed: scores.composed,
        },
        l2: scores.overall,
    }
}

/// Takes an agent's samples of links; they are not durable, what is believed because of them is.
pub(super) async fn take_samples(app: &App, agent: Agent, samples: &[Sample]) -> Answer<()> {
    if samples.len() > SAMPLES_MAX {
        let detail = format!("a message has at most {SAMPLES_MAX} samples");
        let count = samples.len().to_string();
        let refusal = Refusal::invalid("too-many-samples", detail).at("samples", count);
        return Err(refusal.remedy("split it"));
    }
    if samples.is_empty() {
        return Ok(());
    }
    match app.plane.links().take(&app.plane, agent.0, samples).await {
        Ok(()) => Ok(()),
        Err(Untaken::Failure(failure)) => Err(failure.into()),
        Err(Untaken::Foreign(Foreign { index, ends: (from, to), site })) => {
            Err(Refusal::invalid("foreign-sample", "this agent does not measure this link")
                .at(format!("samples[{index}]"), format!("{from} to {to}"))
                .remedy(format!("send samples of links to {site}, or from it to the hub")))
        }
    }
}

/// Bytes that do not compress.
static NOISE: LazyLock<Bytes> = LazyLock::new(|| {
    let mut noise = vec![0; 256 << 10];
    blake3::Hasher::new().finalize_xof().fill(&mut noise);
    noise.into()
});

/// Sends bytes that do not compress, to measure the link to an agent; none for a round trip.
#[utoipa::path(
    get, path = "/v1/agent/probe", tag = "agents", operation_id = "receive_probe",
    params(("bytes" = u64, Query, maximum = 268435456, description = "How many.")),
    responses((status = 200, description = "The bytes", body = super::openapi::BlobBody,
        content_type = "application/octet-stream")),
    security(("agent_token" = []))
)]
pub(super) async fn probe(
    State(app): State<Arc<App>>,
    agent: Agent,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer<Response> {
    check_protocol(&headers)?;
    let params = Params::read(query.as_deref(), &["bytes"])?;
    let bytes = params.number("bytes", 0, PROBE_BYTES_MAX)?.unwrap_or(0).unsigned_abs();
    app.plane.orders().note_contact(agent.0);
    let kind = [(CONTENT_TYPE, "application/octet-stream")];
    if bytes == 0 {
        return Ok((kind, Bytes::new()).into_response());
    }
    let parts = std::iter::successors(Some(bytes), |left| left.checked_sub(NOISE.len() as u64));
    let parts = parts.take_while(|left| *left > 0).map(|left| {
        let length = NOISE.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        Ok::<Bytes, Infallible>(NOISE.slice(..length))
    });
    let body = Body::from_stream(Parts(parts));
    Ok((kind, body).into_response())
}

/// An iterator as a stream that is always ready.
struct Parts<I>(I);

impl<I: Iterator + Unpin> Stream for Parts<I> {
    type Item = I::Item;

    fn poll_next(mut self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<Option<I::Item>> {
        Poll::Ready(self.0.next())
    }
}

/// Receives bytes to measure the link from an agent, and says how fast they came.
#[utoipa::path(
    post, path = "/v1/agent/probe", tag = "agents", operation_id = "send_probe",
    request_body(content = super::openapi::BlobBody, content_type = "application/octet-stream"),
    responses((status = 200, description = "What was seen", body = super::openapi::ProbeSeenBody)),
    security(("agent_token" = []))
)]
pub(super) async fn probe_up(
    State(app): State<Arc<App>>,
    agent: Agent,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Answer<Json<ProbeSeen>> {
    check_protocol(&headers)?;
    Params::read(query.as_deref(), &[])?;
    app.plane.orders().note_contact(agent.0);
    let broken = |_| Refusal::invalid("broken-body", "the body did not arrive whole");
    let (mut so_far, mut arrivals) = (0_u64, Vec::new());
    let mut parts = body.into_data_stream();
    while let Some(part) = poll_fn(|context| Pin::new(&mut parts).poll_next(context)).await {
        so_far += part.map_err(broken)?.len() as u64;
        if so_far > PROBE_BYTES_MAX.unsigned_abs() {
            return Err(Refusal::invalid("probe-too-large", "a probe has at most 256 MiB")
                .at("body", so_far.to_string())
                .remedy("send fewer bytes"));
        }
        arrivals.push((so_far, Instant::now()));
    }
    Ok(Json(ProbeSeen { throughput_bps: steady(&arrivals) }))
}

/// Rate of the second half of what arrived, when the sender's window has grown.
fn steady(arrivals: &[(u64, Instant)]) -> Option<u64> {
    let (total, end) = *arrivals.last()?;
    let (half, begin) = *arrivals.iter().find(|(bytes, _)| *bytes >= total / 2)?;
    let micros = end.duration_since(begin).as_micros();
    let bits = u128::from(total - half) * 8_000_000;
    (arrivals.len() >= 4 && micros > 0).then(|| u64::try_from(bits / micros).unwrap_or(u64::MAX))
}
