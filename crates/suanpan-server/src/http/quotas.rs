//! Quotas of projects.

use super::App;
use super::auth::{Right, User};
use super::jobs::read_seq;
use super::params::{JsonBytes, Params};
use super::problem::{Answer, Refusal};
use super::submit::SEQ;
use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderName};
use std::collections::BTreeMap;
use std::sync::Arc;
use suanpan_engine::command::Command;
use suanpan_engine::state::State as Engine;
use suanpan_model::memory::Mebibytes;
use suanpan_sched::quota::Quota;
use suanpan_sched::quota::book::{Entry, MemberKind};
use suanpan_sched::quota::policy::{CohortQuota, FlavorQuota, ProjectQuota, QuotaPolicy, Resource};
use suanpan_sched::quota::preemption::{Borrow, Reclaim, Rules, Sharing, WithinQueue};
use suanpan_wire::v1;

/// An answer with the journal position it reflects.
type Placed = ([(HeaderName, String); 1], Json<v1::QuotaList>);

/// Largest weight in fair sharing.
const WEIGHT_MAX: u32 = 1_000_000;

/// Shows the quotas of projects and what is used of them.
#[utoipa::path(
    get, path = "/v1/quotas", tag = "projects", operation_id = "list_quotas",
    params(("Suanpan-Seq" = Option<u64>, Header, maximum = 9007199254740991_i64,
        description = "Show at least this position.")),
    responses((status = 200, description = "The quotas", body = v1::QuotaList))
)]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    user: User,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer<Json<v1::QuotaList>> {
    user.must(Right::Look)?;
    Params::read(query.as_deref(), &[])?;
    read_seq(&app, &headers)?;
    let shown = app.plane.ask(|state, _| shown(state)).await?;
    Ok(Json(v1::QuotaList { seq: app.plane.durable_seq(), ..shown }))
}

/// Sets the quotas of all projects, in place of those there were.
///
/// What runs goes on, also where it is more than the new quotas permit. Durable when answered.
#[utoipa::path(
    post, path = "/v1/quotas", tag = "projects", operation_id = "set_quotas",
    request_body = v1::QuotaTree,
    responses(
        (status = 200, description = "Set", body = v1::QuotaList,
            headers(("Suanpan-Seq" = u64, description = "Journal position"))),
        (status = 400, description = "The tree cannot be kept",
            body = v1::Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn set(
    State(app): State<Arc<App>>,
    user: User,
    RawQuery(query): RawQuery,
    body: JsonBytes,
) -> Answer<Placed> {
    user.must(Right::SetQuotas)?;
    Params::read(query.as_deref(), &[])?;
    let policy = policy(&body.read()?)?;
    commit(&app, &user, Some(Arc::new(policy))).await
}

/// Lifts all quotas.
#[utoipa::path(
    post, path = "/v1/quotas/clear", tag = "projects", operation_id = "clear_quotas",
    responses((status = 200, description = "Nothing is limited", body = v1::QuotaList,
        headers(("Suanpan-Seq" = u64, description = "Journal position"))))
)]
pub(super) async fn clear(
    State(app): State<Arc<App>>,
    user: User,
    RawQuery(query): RawQuery,
) -> Answer<Placed> {
    user.must(Right::SetQuotas)?;
    Params::read(query.as_deref(), &[])?;
    commit(&app, &user, None).await
}

async fn commit(app: &App, user: &User, policy: Option<Arc<QuotaPolicy>>) -> Answer<Placed> {
    let command = Command::SetQuotas(policy);
    let seq = app.plane.command(user.caller(), command, Vec::new()).await?.seq;
    let shown = app.plane.ask(|state, _| shown(state)).await?;
    Ok(([(SEQ, seq.to_string())], Json(v1::QuotaList { seq, ..shown })))
}

fn shown(state: &Engine) -> v1::QuotaList {
    let Some(book) = state.quotas() else {
        return v1::QuotaList { tree: None, quotas: Vec::new(), seq: 0 };
    };
    let quotas = book.entries().into_iter().map(used).collect();
    v1::QuotaList { tree: Some(tree(book.policy())), quotas, seq: 0 }
}

fn used(entry: Entry) -> v1::QuotaUse {
    v1::QuotaUse {
        kind: match entry.kind {
            MemberKind::Cohort => v1::QuotaKind::Cohort,
            MemberKind::Project => v1::QuotaKind::Project,
        },
        name: entry.name,
        cohort: entry.parent,
        flavor: entry.flavor,
        resource: entry.resource.name().to_owned(),
        nominal: entry.quota.nominal,
        borrow: entry.quota.borrowing_limit,
        lend: entry.quota.lending_limit,
        used: entry.used,
        borrowed: entry.borrowed,
        lendable: entry.lendable,
        available: entry.available,
    }
}

/// What was typed, as it is meant.
fn policy(tree: &v1::QuotaTree) -> Answer<QuotaPolicy> {
    let mut policy = QuotaPolicy {
        sharing: match tree.sharing {
            v1::QuotaSharing::Priority => Sharing::Priority,
            v1::QuotaSharing::Fair => Sharing::Fair,
        },
        ..QuotaPolicy::default()
    };
    for (name, cohort) in &tree.cohorts {
        let place = format!("cohorts.{name}");
        let quota = CohortQuota {
            parent: cohort.parent.clone(),
            weight_milli: weight(&place, cohort.weight)?,
            flavors: flavors(&place, &cohort.flavors)?,
        };
        policy.cohorts.insert(name.clone(), quota);
    }
    for (name, project) in &tree.projects {
        let place = format!("projects.{name}");
        let quota = ProjectQuota {
            cohort: project.cohort.clone(),
            weight_milli: weight(&place, project.weight)?,
            rules: rules(project),
            flavors: flavors(&place, &project.flavors)?,
        };
        policy.projects.insert(name.clone(), quota);
    }
    Ok(policy)
}

fn weight(place: &str, weight: u32) -> Answer<u32> {
    match weight {
        0..=WEIGHT_MAX => Ok(weight * 1_000),
        _ => {
            let right = format!("write a whole number from 0 to {WEIGHT_MAX}");
            Err(wrong(format!("{place}.weight"), &weight.to_string(), right))
        }
    }
}

fn rules(project: &v1::QuotaProject) -> Rules {
    Rules {
        within_queue: match project.within_project {
            v1::QuotaWithin::Never => WithinQueue::Never,
            v1::QuotaWithin::LowerPriority => WithinQueue::LowerPriority,
            v1::QuotaWithin::LowerOrNewerEqual => WithinQueue::LowerOrNewerEqual,
        },
        reclaim: match project.reclaim {
            v1::QuotaReclaim::Never => Reclaim::Never,
            v1::QuotaReclaim::LowerPriority => Reclaim::LowerPriority,
            v1::QuotaReclaim::Any => Reclaim::Any,
        },
        borrow: match project.borrow_by_preemption {
            v1::QuotaBorrow::Never => Borrow::Never,
            v1::QuotaBorrow::LowerPriority => Borrow::LowerPriority { at_most: None },
        },
    }
}

fn flavors(
    place: &str,
    typed: &BTreeMap<String, v1::QuotaAmounts>,
) -> Answer<BTreeMap<String, FlavorQuota>> {
    let one = |(name, amounts): (&String, &v1::QuotaAmounts)| {
        let place = format!("{place}.flavors.{name}");
        let quota = |limits: &Option<v1::QuotaLimits>, resource: Resource| {
            let read =
                |limits| read_limits(&format!("{place}.{}", resource.name()), limits, resource);
            limits.as_ref().map(read).transpose()
        };
        let quota = FlavorQuota {
            cpus: quota(&amounts.cpus, Resource::Cpus)?,
            memory: quota(&amounts.memory, Resource::Memory)?,
            gpus: quota(&amounts.gpus, Resource::Gpus)?,
        };
        Ok((name.clone(), quota))
    };
    typed.iter().map(one).collect()
}

fn read_limits(place: &str, limits: &v1::QuotaLimits, resource: Resource) -> Answer<Quota> {
    let amount = |field: &str, amount: &v1::QuotaAmount| match amount {
        v1::QuotaAmount::Number(number) => Ok(*number),
        v1::QuotaAmount::Text(text) => {
            let memory = text.parse::<Mebibytes>().ok().filter(|_| resource == Resource::Memory);
            memory.and_then(|memory| i64::try_from(memory.get()).ok()).ok_or_else(|| {
                let right = match resource {
                    Resource::Memory => "write memory with its unit, as 512G, or MiB as a number",
                    Resource::Cpus | Resource::Gpus => "write a whole number",
                };
                wrong(format!("{place}.{field}"), text, right.to_owned())
            })
        }
    };
    let limit = |field: &str, limit: &Option<v1::QuotaAmount>| {
        limit.as_ref().map(|limit| amount(field, limit)).transpose()
    };
    Ok(Quota {
        nominal: amount("nominal", &limits.nominal)?,
        borrowing_limit: limit("borrow", &limits.borrow)?,
        lending_limit: limit("lend", &limits.lend)?,
    })
}

fn wrong(field: String, value: &str, right: String) -> Refusal {
    Refusal::invalid("invalid-quotas", "the tree of quotas cannot be kept")
        .at(field, value)
        .remedy(right)
}

/// What is meant, as it is typed.
fn tree(policy: &QuotaPolicy) -> v1::QuotaTree {
    let cohort = |cohort: &CohortQuota| v1::QuotaCohort {
        parent: cohort.parent.clone(),
        weight: cohort.weight_milli / 1_000,
        flavors: typed(&cohort.flavors),
    };
    let project = |project: &ProjectQuota| v1::QuotaProject {
        cohort: project.cohort.clone(),
        weight: project.weight_milli / 1_000,
        reclaim: match project.rules.reclaim {
            Reclaim::Never => v1::QuotaReclaim::Never,
            Reclaim::LowerPriority => v1::QuotaReclaim::LowerPriority,
            Reclaim::Any => v1::QuotaReclaim::Any,
        },
        within_project: match project.rules.within_queue {
            WithinQueue::Never => v1::QuotaWithin::Never,
            WithinQueue::LowerPriority => v1::QuotaWithin::LowerPriority,
            WithinQueue::LowerOrNewerEqual => v1::QuotaWithin::LowerOrNewerEqual,
        },
        borrow_by_preemption: match project.rules.borrow {
            Borrow::Never => v1::QuotaBorrow::Never,
            Borrow::LowerPriority { .. } => v1::QuotaBorrow::LowerPriority,
        },
        flavors: typed(&project.flavors),
    };
    v1::QuotaTree {
        sharing: match policy.sharing {
            Sharing::Priority => v1::QuotaSharing::Priority,
            Sharing::Fair => v1::QuotaSharing::Fair,
        },
        cohorts: policy.cohorts.iter().map(|(name, one)| (name.clone(), cohort(one))).collect(),
        projects: policy.projects.iter().map(|(name, one)| (name.clone(), project(one))).collect(),
    }
}

fn typed(flavors: &BTreeMap<String, FlavorQuota>) -> BTreeMap<String, v1::QuotaAmounts> {
    let limits = |quota: Quota| v1::QuotaLimits {
        nominal: v1::QuotaAmount::Number(quota.nominal),
        borrow: quota.borrowing_limit.map(v1::QuotaAmount::Number),
        lend: quota.lending_limit.map(v1::QuotaAmount::Number),
    };
    let amounts = |quota: &FlavorQuota| v1::QuotaAmounts {
        cpus: quota.cpus.map(limits),
        memory: quota.memory.map(limits),
        gpus: quota.gpus.map(limits),
    };
    flavors.iter().map(|(name, quota)| (name.clone(), amounts(quota))).collect()
}
