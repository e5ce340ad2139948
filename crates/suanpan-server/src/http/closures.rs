//! Drains and reservations.

use super::App;
use super::auth::{Right, User};
use super::convert::time;
use super::jobs::read_seq;
use super::params::{ClusterPath, JsonBytes, Params};
use super::problem::{Answer, Refusal};
use super::submit::SEQ;
use crate::pipeline::Committed;
use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderName};
use std::collections::BTreeSet;
use std::sync::Arc;
use suanpan_engine::command::{
    Caller, Command, DrainNodes, EndReservation, NodeChoice, ReserveNodes, UndrainNodes,
};
use suanpan_engine::sequencer::Reply;
use suanpan_engine::state::{Closed, Cluster, State as Engine};
use suanpan_model::hostlist::Hostlist;
use suanpan_model::id::{ClusterId, JobId};
use suanpan_model::site::Partition;
use suanpan_model::time::Timestamp;
use suanpan_sched::reason::{Predicate, Unfit};
use suanpan_sched::snapshot::{Closure, ClosureKind};
use suanpan_wire::v1::{self, fields};

/// An answer with the journal position it reflects.
pub(super) type Placed<T> = ([(HeaderName, String); 1], Json<T>);

/// Drains nodes: nothing new runs on them, and what runs there goes on.
///
/// Every user may. Durable when answered.
#[utoipa::path(
    post, path = "/v1/sites/{cluster}/drain", tag = "sites", operation_id = "drain_nodes",
    params(("cluster" = String, Path, example = "shanghai",
        description = "A cluster, or a site that has one.")),
    request_body = v1::DrainNodes,
    responses(
        (status = 200, description = "Done", body = v1::DrainAnswer,
            headers(("Suanpan-Seq" = u64, description = "Journal position"))),
        (status = 404, description = "There is no such cluster, node or partition",
            body = v1::Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn drain(
    State(app): State<Arc<App>>,
    user: User,
    ClusterPath(name): ClusterPath,
    RawQuery(query): RawQuery,
    body: JsonBytes,
) -> Answer<Placed<v1::DrainAnswer>> {
    user.must(Right::CloseNodes)?;
    Params::read(query.as_deref(), &[])?;
    let v1::DrainNodes { nodes, partition, from_at, until_at, reason } = body.read()?;
    let nodes = chosen(nodes, partition)?;
    let reason = match reason.trim() {
        "" => Err("one sentence for those who ask".to_owned()),
        sentence => fields::comment(sentence),
    };
    let reason = reason.map_err(|right| wrong("reason", "", &right))?;
    let cluster = find(&app, name).await?;
    let command = Command::DrainNodes(DrainNodes {
        cluster,
        nodes,
        from: from_at.map(|at| Timestamp(at.micros())),
        until: until_at.map(|at| Timestamp(at.micros())),
        reason,
    });
    let Committed { seq, reply } = app.plane.command(user.caller(), command, Vec::new()).await?;
    let Reply::Closed(closed) = reply else { unreachable!("a drain is answered with itself") };
    let asked = app.plane.ask(move |state, now| {
        let place = state.cluster(cluster).expect("clusters are never removed");
        shown_drain(place, &closed.closure, closed.by.as_ref(), &busy(state, place), now)
    });
    Ok(([(SEQ, seq.to_string())], Json(v1::DrainAnswer { drain: asked.await?, seq })))
}

/// Undoes the drains of nodes, whoever made them.
///
/// Every user may. Durable when answered.
#[utoipa::path(
    post, path = "/v1/sites/{cluster}/undrain", tag = "sites", operation_id = "undrain_nodes",
    params(("cluster" = String, Path, example = "shanghai",
        description = "A cluster, or a site that has one.")),
    request_body = v1::UndrainNodes,
    responses(
        (status = 200, description = "Done", body = v1::UndrainAnswer,
            headers(("Suanpan-Seq" = u64, description = "Journal position"))),
        (status = 404, description = "There is no such cluster or partition",
            body = v1::Problem, content_type = "application/problem+json"),
        (status = 409, description = "None of them is drained",
            body = v1::Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn undrain(
    State(app): State<Arc<App>>,
    user: User,
    ClusterPath(name): ClusterPath,
    RawQuery(query): RawQuery,
    body: JsonBytes,
) -> Answer<Placed<v1::UndrainAnswer>> {
    user.must(Right::CloseNodes)?;
    Params::read(query.as_deref(), &[])?;
    let v1::UndrainNodes { nodes, partition } = body.read()?;
    let nodes = chosen(nodes, partition)?;
    let id = find(&app, name).await?;
    let command = Command::UndrainNodes(UndrainNodes { cluster: id, nodes });
    let Committed { seq, reply } = app.plane.command(user.caller(), command, Vec::new()).await?;
    let Reply::Opened(nodes) = reply else { unreachable!("an undrain is answered with nodes") };
    let answer = v1::UndrainAnswer { cluster: name_of(&app, id).await?, nodes, seq };
    Ok(([(SEQ, seq.to_string())], Json(answer)))
}

/// Lists all reservations.
#[utoipa::path(
    get, path = "/v1/reservations", tag = "sites", operation_id = "list_reservations",
    params(("Suanpan-Seq" = Option<u64>, Header, maximum = 9007199254740991_i64,
        description = "Show at least this position.")),
    responses((status = 200, description = "The reservations", body = v1::ReservationList))
)]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    user: User,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer<Json<v1::ReservationList>> {
    user.must(Right::Look)?;
    Params::read(query.as_deref(), &[])?;
    read_seq(&app, &headers)?;
    let question = app.plane.ask(|state, now| {
        let all = state.clusters().flat_map(|(_, one)| of_cluster(state, now, one).reservations);
        all.collect::<Vec<_>>()
    });
    let mut reservations = question.await?;
    let key = |one: &v1::Reservation| (one.cluster.clone(), one.start_at, one.name.clone());
    reservations.sort_by_cached_key(key);
    Ok(Json(v1::ReservationList { reservations, seq: app.plane.durable_seq() }))
}

/// Keeps nodes for some users and projects, from a time to a time.
///
/// What runs there when it begins goes on until its limit; nothing is started that would run into
/// it. Every user may. Durable when answered.
#[utoipa::path(
    post, path = "/v1/reservations", tag = "sites", operation_id = "create_reservation",
    request_body = v1::CreateReservation,
    responses(
        (status = 200, description = "Done", body = v1::ReservationAnswer,
            headers(("Suanpan-Seq" = u64, description = "Journal position"))),
        (status = 404, description = "There is no such cluster, node or partition",
            body = v1::Problem, content_type = "application/problem+json"),
        (status = 409, description = "The cluster has a reservation of this name",
            body = v1::Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn create(
    State(app): State<Arc<App>>,
    user: User,
    RawQuery(query): RawQuery,
    body: JsonBytes,
) -> Answer<Placed<v1::ReservationAnswer>> {
    user.must(Right::CloseNodes)?;
    Params::read(query.as_deref(), &[])?;
    let asked: v1::CreateReservation = body.read()?;
    let v1::CreateReservation { name, cluster, nodes, partition, start_at, end_at, .. } = asked;
    let name = fields::word(&name).map_err(|right| wrong("name", &name, &right))?;
    let nodes = chosen(nodes, partition)?;
    for (field, list) in [("users", &asked.users), ("projects", &asked.projects)] {
        for one in list {
            fields::name(one).map_err(|right| wrong(field, one, &right))?;
        }
    }
    if asked.users.is_empty() && asked.projects.is_empty() {
        let right = "whom it is for: a user or a project (to close nodes to everybody, drain them)";
        return Err(wrong("users", "", right));
    }
    let cluster = find(&app, cluster).await?;
    let command = Command::ReserveNodes(ReserveNodes {
        cluster,
        name,
        nodes,
        // The past is clamped to now by the engine.
        from: start_at.map_or(Timestamp(0), |at| Timestamp(at.micros())),
        until: Timestamp(end_at.micros()),
        users: asked.users,
        projects: asked.projects,
    });
    let Committed { seq, reply } = app.plane.command(user.caller(), command, Vec::new()).await?;
    let Reply::Closed(closed) = reply else { unreachable!("it is answered with itself") };
    let cluster = name_of(&app, cluster).await?;
    let reservation = shown_reservation(&cluster, &closed, crate::pipeline::clock::now());
    Ok(([(SEQ, seq.to_string())], Json(v1::ReservationAnswer { reservation, seq })))
}

/// Ends a reservation: its nodes are everybody's again.
///
/// Every user may. Durable when answered.
#[utoipa::path(
    post, path = "/v1/reservations/end", tag = "sites", operation_id = "end_reservation",
    request_body = v1::EndReservation,
    responses(
        (status = 200, description = "Done", body = v1::ReservationAnswer,
            headers(("Suanpan-Seq" = u64, description = "Journal position"))),
        (status = 404, description = "There is no such cluster or reservation",
            body = v1::Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn end(
    State(app): State<Arc<App>>,
    user: User,
    RawQuery(query): RawQuery,
    body: JsonBytes,
) -> Answer<Placed<v1::ReservationAnswer>> {
    user.must(Right::CloseNodes)?;
    Params::read(query.as_deref(), &[])?;
    let v1::EndReservation { cluster, name } = body.read()?;
    let id = find(&app, cluster).await?;
    let wanted = name.clone();
    let question = app.plane.ask(move |state, now| {
        let cluster = state.cluster(id)?;
        Some(shown_reservation(&cluster.name, cluster.reservation(&wanted)?, now))
    });
    let known = question.await?;
    let command = Command::EndReservation(EndReservation { cluster: id, name });
    let Committed { seq, .. } = app.plane.command(user.caller(), command, Vec::new()).await?;
    let reservation = known.ok_or_else(|| {
        Refusal::later("just-made", "the reservation was made and ended at the same time", 1)
    })?;
    Ok(([(SEQ, seq.to_string())], Json(v1::ReservationAnswer { reservation, seq })))
}

/// Drains and reservations of one cluster, as they are shown.
#[derive(Debug, Default)]
pub(super) struct Shown {
    pub(super) drains: Vec<v1::Drain>,
    pub(super) reservations: Vec<v1::Reservation>,
}

impl Shown {
    /// The first of them: `n1 of home is drained by ann: new disks`.
    pub(super) fn first_in_words(&self) -> Option<String> {
        let by = |by: &Option<String>| by.as_ref().map_or(String::new(), |by| format!(" by {by}"));
        if let Some(drain) = self.drains.first() {
            let v1::Drain { cluster, reason, .. } = drain;
            let nodes = Hostlist::compress(&drain.nodes);
            return Some(format!("{nodes} of {cluster}, drained{}: {reason}", by(&drain.by)));
        }
        let one = self.reservations.first()?;
        let v1::Reservation { name, cluster, .. } = one;
        let nodes = Hostlist::compress(&one.nodes);
        Some(format!("{nodes} of {cluster}, reserved{} as `{name}`", by(&one.by)))
    }
}

/// Those of a cluster, oldest first.
pub(super) fn of_cluster(state: &Engine, now: Timestamp, cluster: &Cluster) -> Shown {
    chosen_of(state, now, cluster, |_| true)
}

fn chosen_of(
    state: &Engine,
    now: Timestamp,
    cluster: &Cluster,
    wanted: impl Fn(&Closed) -> bool,
) -> Shown {
    let mut shown = Shown::default();
    let all: Vec<&Closed> = cluster.closures.values().filter(|one| wanted(one)).collect();
    if all.is_empty() {
        return shown;
    }
    let busy = busy(state, cluster);
    for one in all {
        match one.closure.kind {
            ClosureKind::Drain => {
                shown.drains.push(shown_drain(cluster, &one.closure, one.by.as_ref(), &busy, now))
            }
            ClosureKind::Reservation => {
                shown.reservations.push(shown_reservation(&cluster.name, one, now));
            }
        }
    }
    shown
}

/// Those that bind a job that waits, on nodes that its partitions have at clusters that fit it.
pub(super) fn in_the_way(state: &Engine, now: Timestamp, id: JobId, unfit: &[Unfit]) -> Shown {
    let mut shown = Shown::default();
    let Some(job) = state.job(id) else { return shown };
    let passing = |predicate| {
        use Predicate::{Available, Deadline, Priority, Reachable, Refused, Resources};
        matches!(predicate, Available | Deadline | Priority | Reachable | Refused | Resources)
    };
    let fits = |id: ClusterId| unfit.iter().all(|no| no.cluster != id || passing(no.predicate));
    for (_, cluster) in state.clusters().filter(|(id, _)| fits(*id)) {
        let Some(inventory) = cluster.inventory.as_deref() else { continue };
        let asked = &job.spec.shape.partitions;
        let may = |partition: &&Partition| match asked.as_slice() {
            [] => partition.default,
            names => names.contains(&partition.name),
        };
        let usable: BTreeSet<&str> = inventory
            .partitions
            .iter()
            .filter(may)
            .flat_map(|partition| &partition.nodes)
            .map(|&node| inventory.nodes[node as usize].name.as_str())
            .collect();
        let here = chosen_of(state, now, cluster, |one| {
            !one.admits(job) && one.closure.nodes.iter().any(|name| usable.contains(name.as_str()))
        });
        shown.drains.extend(here.drains);
        shown.reservations.extend(here.reservations);
    }
    shown
}

/// Names of the cluster's nodes on which something runs.
fn busy(state: &Engine, cluster: &Cluster) -> BTreeSet<String> {
    let live = cluster.allocations.iter().filter_map(|id| state.allocation(*id));
    live.flat_map(|one| one.placed.node_names.iter().cloned()).collect()
}

fn shown_drain(
    cluster: &Cluster,
    closure: &Closure,
    by: Option<&Caller>,
    busy: &BTreeSet<String>,
    now: Timestamp,
) -> v1::Drain {
    let runs = || closure.nodes.iter().any(|name| busy.contains(name));
    let state = match closure.from > now {
        true => v1::DrainState::Planned,
        false if runs() => v1::DrainState::Draining,
        false => v1::DrainState::Drained,
    };
    v1::Drain {
        cluster: cluster.name.clone(),
        nodes: closure.nodes.clone(),
        state,
        from_at: time(closure.from),
        until_at: (closure.until != Timestamp::MAX).then(|| time(closure.until)),
        by: by.map(|by| caller(by, &cluster.name)),
        reason: closure.reason.clone(),
    }
}

fn shown_reservation(cluster: &str, closed: &Closed, now: Timestamp) -> v1::Reservation {
    let Closed { closure, by, users, projects } = closed;
    v1::Reservation {
        name: closure.reason.clone(),
        cluster: cluster.to_owned(),
        nodes: closure.nodes.clone(),
        state: match closure.from > now {
            true => v1::ReservationState::Inactive,
            false => v1::ReservationState::Active,
        },
        start_at: time(closure.from),
        end_at: time(closure.until),
        by: by.as_ref().map(|by| caller(by, cluster)),
        users: users.clone(),
        projects: projects.clone(),
    }
}

/// Who asked; agents close nodes of their own cluster only.
fn caller(caller: &Caller, cluster: &str) -> String {
    match caller {
        Caller::User(name) => name.clone(),
        Caller::Agent(_) => format!("agent of {cluster}"),
        Caller::System | Caller::Invited => "the control plane".to_owned(),
    }
}

fn chosen(nodes: Option<Vec<String>>, partition: Option<String>) -> Answer<NodeChoice> {
    match (nodes, partition) {
        (None, None) => Ok(NodeChoice::All),
        (None, Some(partition)) => Ok(NodeChoice::Partition(partition)),
        (Some(nodes), None) => Ok(NodeChoice::Named(nodes)),
        (Some(_), Some(partition)) => {
            Err(wrong("partition", &partition, "either nodes or a partition"))
        }
    }
}

fn wrong(field: &str, value: &str, right: &str) -> Refusal {
    Refusal::invalid("bad-value", format!("`{field}` cannot be {value:?}"))
        .at(field, value)
        .remedy(format!("give {right}"))
}

/// The cluster of this name, or the only one of the site of this name.
pub(super) async fn find(app: &App, name: String) -> Answer<ClusterId> {
    let wanted = name.clone();
    let question = app.plane.ask(move |state, _| {
        let named = state.clusters().find(|(_, one)| one.name == wanted).map(|(id, _)| id);
        let at_site = || {
            let mut all = state.clusters().filter(|(_, one)| one.site() == wanted);
            match (all.next(), all.next()) {
                (Some((id, _)), None) => Some(id),
                _ => None,
            }
        };
        named.or_else(at_site)
    });
    question.await?.ok_or_else(|| {
        Refusal::not_found("unknown-cluster", format!("there is no cluster `{name}`"))
            .at("cluster", name)
            .remedy("`suanpan sites` lists the clusters there are")
    })
}

pub(super) async fn name_of(app: &App, id: ClusterId) -> Answer<String> {
    let question =
        app.plane.ask(move |state, _| state.cluster(id).map(|cluster| cluster.name.clone()));
    Ok(question.await?.expect("clusters are never removed"))
}
