//! Clusters and flavors.

use super::auth::{Right, Token, TokenKind, User};
use super::convert::{money, per_node, time};
use super::jobs::read_seq;
use super::params::{JsonBytes, Params};
use super::problem::{Answer, Refusal};
use super::submit::SEQ;
use super::{App, closures};
use crate::pipeline::{Committed, clock};
use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use suanpan_engine::command::{AddSite, Caller, Command};
use suanpan_engine::sequencer::Reply;
use suanpan_engine::state::{Cluster, Standing};
use suanpan_model::id::ClusterId;
use suanpan_model::site::Inventory;
use suanpan_model::tres::Tres;
use suanpan_sched::snapshot::Contact;
use suanpan_wire::v1;

/// Longest name of a cluster.
const NAME_CHARACTERS_MAX: usize = 63;

/// Lists all clusters with what they have, what is free, and whether their agents are in contact.
#[utoipa::path(
    get, path = "/v1/sites", tag = "sites", operation_id = "list_sites",
    params(("Suanpan-Seq" = Option<u64>, Header, maximum = 9007199254740991_i64,
        description = "Show at least this position.")),
    responses((status = 200, description = "The clusters", body = v1::SiteList))
)]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    user: User,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer<Json<v1::SiteList>> {
    user.must(Right::Look)?;
    Params::read(query.as_deref(), &[])?;
    read_seq(&app, &headers)?;
    let question = app.plane.ask(|state, now| {
        let whole = |(id, cluster): (ClusterId, &Cluster)| {
            ((id, cluster.clone()), closures::of_cluster(state, now, cluster))
        };
        state.clusters().map(whole).collect::<Vec<_>>()
    });
    let clusters = question.await?;
    let mut sites: Vec<v1::Site> =
        clusters.into_iter().map(|(one, closed)| site(&app, &one, closed)).collect();
    sites.sort_by(|a, b| a.cluster.cmp(&b.cluster));
    Ok(Json(v1::SiteList { sites, seq: app.plane.durable_seq() }))
}

/// Lets a cluster join the network and makes its agent's token.
///
/// The token is in this answer only; the server keeps its hash.
#[utoipa::path(
    post, path = "/v1/sites", tag = "sites", operation_id = "add_site",
    request_body = v1::AddSite,
    responses(
        (status = 201, description = "The cluster may join", body = v1::SiteToken,
            headers(("Suanpan-Seq" = u64, description = "Journal position"))),
        (status = 409, description = "There is a cluster of this name",
            body = v1::Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn add(
    State(app): State<Arc<App>>,
    user: User,
    RawQuery(query): RawQuery,
    body: JsonBytes,
) -> Answer<Response> {
    user.must(Right::AddSites)?;
    Params::read(query.as_deref(), &[])?;
    let v1::AddSite { cluster } = body.read()?;
    check_name(&cluster)?;
    let token = Token::random(TokenKind::Agent)?;
    let hash = token.hash();
    let command = Command::AddSite(AddSite { cluster: cluster.clone(), token: hash });
    let Committed { seq, reply } = app.plane.command(user.caller(), command, Vec::new()).await?;
    let Reply::Cluster(id) = reply else { unreachable!("adding a site is answered with its id") };
    app.tokens.insert(hash, Caller::Agent(id));
    let answer = v1::SiteToken { cluster, id: id.0, token: token.reveal().to_owned(), seq };
    let headers = [(SEQ, seq.to_string()), (CACHE_CONTROL, "no-store".to_owned())];
    Ok((StatusCode::CREATED, headers, Json(answer)).into_response())
}

/// Lists all flavors with who offers them and at what price.
#[utoipa::path(
    get, path = "/v1/flavors", tag = "sites", operation_id = "list_flavors",
    params(("Suanpan-Seq" = Option<u64>, Header, maximum = 9007199254740991_i64,
        description = "Show at least this position.")),
    responses((status = 200, description = "The flavors", body = v1::FlavorList))
)]
pub(super) async fn flavors(
    State(app): State<Arc<App>>,
    user: User,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer<Json<v1::FlavorList>> {
    user.must(Right::Look)?;
    Params::read(query.as_deref(), &[])?;
    read_seq(&app, &headers)?;
    let mut by_name: BTreeMap<String, Vec<v1::FlavorOffer>> = BTreeMap::new();
    for (_, cluster) in clusters(&app).await? {
        let Some(inventory) = cluster.inventory.clone() else { continue };
        for (index, flavor) in inventory.flavors.iter().enumerate() {
            let offer = offer(&cluster, &inventory, index as u16);
            by_name.entry(flavor.name.clone()).or_default().push(offer);
        }
    }
    let flavors = by_name.into_iter().map(|(name, offers)| v1::Flavor { name, offers }).collect();
    Ok(Json(v1::FlavorList { flavors, seq: app.plane.durable_seq() }))
}

async fn clusters(app: &App) -> Answer<Vec<(ClusterId, Cluster)>> {
    let question = app
        .plane
        .ask(|state, _| state.clusters().map(|(id, cluster)| (id, cluster.clone())).collect());
    Ok(question.await?)
}

pub(super) fn check_name(name: &str) -> Answer<()> {
    let sound = (1..=NAME_CHARACTERS_MAX).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        && name.as_bytes()[0].is_ascii_alphanumeric();
    if sound {
        return Ok(());
    }
    Err(Refusal::invalid("bad-name", "this cannot be the name of a cluster")
        .at("cluster", name)
        .remedy("write 1 to 63 letters, digits, -, _ or ., beginning with a letter or digit"))
}

fn total<'a>(amounts: impl Iterator<Item = &'a Tres>) -> v1::PerNode {
    per_node(&amounts.fold(Tres::default(), |sum, one| sum.plus(one)))
}

fn contact(cluster: &Cluster) -> v1::Contact {
    match (&cluster.inventory, cluster.contact.0) {
        (None, _) => v1::Contact::Expected,
        (Some(_), Contact::Reachable) => v1::Contact::Reachable,
        (Some(_), Contact::Silent) => v1::Contact::Silent,
    }
}

/// Where a cluster stands.
pub(super) fn standing(cluster: &Cluster) -> v1::Standing {
    match cluster.standing {
        Standing::Invited => v1::Standing::Invited,
        Standing::Joined => v1::Standing::Joined,
        Standing::Member => v1::Standing::Member,
        Standing::Revoked => v1::Standing::Revoked,
    }
}

fn invitation(cluster: &Cluster) -> Option<v1::Time> {
    let open = cluster.invitation.filter(|_| cluster.standing == Standing::Invited);
    open.map(|invitation| time(invitation.expires))
}

fn site(app: &App, (id, cluster): &(ClusterId, Cluster), closed: closures::Shown) -> v1::Site {
    let heard: Option<Duration> = app.plane.orders().contact(*id).1;
    let heard_at = |ago: Duration| {
        let ago = i64::try_from(ago.as_micros()).unwrap_or(i64::MAX);
        v1::Time::from_micros(clock::now().0.saturating_sub(ago))
    };
    let inventory = cluster.inventory.as_deref();
    let nodes = inventory.map_or(&[][..], |inventory| &inventory.nodes);
    v1::Site {
        cluster: cluster.name.clone(),
        site: inventory.map(|inventory| inventory.site.clone()),
        id: id.0,
        standing: standing(cluster),
        invited_until: invitation(cluster),
        code: cluster.token.map(|token| suanpan_wire::agent::code_of(token.0)),
        contact: contact(cluster),
        last_contact_at: inventory.and(heard).map(heard_at),
        driver: inventory.map(|inventory| super::convert::word(&inventory.driver)),
        zone: inventory.map(|inventory| inventory.zone.clone()),
        home: inventory.is_some_and(|inventory| inventory.home),
        shared_paths: inventory.map_or(Vec::new(), |inventory| inventory.shared_paths.clone()),
        nodes: nodes.len() as u32,
        capacity: total(nodes.iter().map(|node| &node.capacity)),
        free: total(cluster.free.iter()),
        allocations: cluster.allocations.len() as u32,
        partitions: inventory.map_or(Vec::new(), partitions),
        flavors: inventory.map_or(Vec::new(), |inventory| {
            inventory.flavors.iter().map(|flavor| flavor.name.clone()).collect()
        }),
        links: inventory.map_or(Vec::new(), links),
        enforced: inventory.map_or(Vec::new(), enforced),
        drains: closed.drains,
        reservations: closed.reservations,
    }
}

fn partitions(inventory: &Inventory) -> Vec<v1::Partition> {
    let show = |partition: &suanpan_model::site::Partition| {
        let mut flavors: Vec<String> = partition
            .nodes
            .iter()
            .map(|&node| inventory.flavor_of(&inventory.nodes[node as usize]).name.clone())
            .collect();
        flavors.sort();
        flavors.dedup();
        v1::Partition {
            name: partition.name.clone(),
            default: partition.default,
            time_max_s: Some(partition.time_max.seconds().into()),
            time_default_s: Some(partition.time_default.seconds().into()),
            nodes_max_per_job: partition.nodes_max_per_job,
            nodes: partition.nodes.len() as u32,
            flavors,
            queue: queue(&partition.queue),
        }
    };
    inventory.partitions.iter().map(show).collect()
}

fn queue(seen: &suanpan_model::site::PartitionQueue) -> Option<v1::PartitionQueue> {
    (seen.others > 0).then(|| v1::PartitionQueue {
        others: seen.others,
        last_start_at: seen.last_start.map(super::convert::time),
    })
}

fn links(inventory: &Inventory) -> Vec<v1::Link> {
    let show = |link: &suanpan_model::site::Link| v1::Link {
        to: link.to.clone(),
        delay_us: link.delay_us,
        throughput_bps: link.throughput_bps,
    };
    inventory.links.iter().map(show).collect()
}

fn enforced(inventory: &Inventory) -> Vec<v1::EnforcedLimit> {
    let show = |one: &suanpan_model::site::EnforcedLimit| v1::EnforcedLimit {
        limit: one.limit.clone(),
        by: one.by.clone(),
    };
    inventory.enforced.iter().map(show).collect()
}

fn offer(cluster: &Cluster, inventory: &Inventory, index: u16) -> v1::FlavorOffer {
    let flavor = &inventory.flavors[usize::from(index)];
    let mine = |number: &usize| inventory.nodes[*number].flavor == index;
    let nodes: Vec<usize> = (0..inventory.nodes.len()).filter(mine).collect();
    let capacity = |number: &usize| &inventory.nodes[*number].capacity;
    let largest = nodes.iter().map(capacity).max_by_key(|tres| (tres.gpus, tres.cpus, tres.memory));
    v1::FlavorOffer {
        site: inventory.site.clone(),
        cluster: cluster.name.clone(),
        contact: contact(cluster),
        speed_milli: flavor.speed_milli,
        cpu_hour: money(flavor.price.cpu_hour),
        gpu_hour: money(flavor.price.gpu_hour),
        gib_hour: money(flavor.price.gib_hour),
        nodes: nodes.len() as u32,
        largest_node: largest.map_or(v1::PerNode::default(), per_node),
        capacity: total(nodes.iter().map(capacity)),
        free: total(nodes.iter().filter_map(|&number| cluster.free.get(number))),
    }
}
