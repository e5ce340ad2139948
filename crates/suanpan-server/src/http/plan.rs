//! `POST /v1/plan`: where would this job run?

use super::App;
use super::auth::{Right, User};
use super::convert::{self, Names};
use super::explain;
use super::params::{JsonBytes, Params};
use super::problem::{Answer, Refusal};
use super::submit::{Form, known_datasets, read_jobs, tasks_of};
use axum::Json;
use axum::extract::{RawQuery, State};
use std::sync::Arc;
use suanpan_model::time::Timestamp;
use suanpan_sched::explain::Outlook;
use suanpan_sched::reason::WaitingFor;
use suanpan_wire::v1;
use suanpan_wire::v1::{Feasibility, SubmitJob};

/// Candidates shown.
const CANDIDATES_MAX: usize = 20;

/// Says where a job would run, when, for how much, and why not elsewhere. Nothing is submitted.
#[utoipa::path(
    post, path = "/v1/plan", tag = "jobs", operation_id = "plan_job",
    request_body = SubmitJob,
    responses((status = 200, description = "The candidates", body = v1::PlanAnswer))
)]
pub(super) async fn plan(
    State(app): State<Arc<App>>,
    user: User,
    RawQuery(query): RawQuery,
    body: JsonBytes,
) -> Answer<Json<v1::PlanAnswer>> {
    user.must(Right::Look)?;
    Params::read(query.as_deref(), &[])?;
    let job: SubmitJob = body.read()?;
    let known = known_datasets(&app, std::slice::from_ref(&job)).await?;
    let read = read_jobs(&[job], &user, &known, Form::Single)?;
    let spec = read.specs.into_iter().next().expect("one job in, one job out");
    let tasks = tasks_of(&spec);
    let (caller, rank) = (user.caller(), spec.clone());
    let question = app.plane.ask(move |state, _| {
        state.check_rank(&caller, 0, &rank).map(|()| Names::of_job(state, &rank.shape))
    });
    let names = question.await?.map_err(Refusal::from)?;
    let asked = app.plane.ask_scheduler({
        move |snapshot, now, policy| {
            use suanpan_sched::explain::outlook_of;
            let class = snapshot.class_of(&spec.user, &spec.name, &spec.project, &spec.shape);
            (outlook_of(snapshot, now, policy, &class, spec.deadline, tasks), now)
        }
    });
    let (mut outlook, now) = asked.await?;
    outlook.explanation.candidates.truncate(CANDIDATES_MAX);
    let begin = spec.begin.filter(|begin| *begin > now);
    Ok(Json(answer(&outlook, tasks, now, begin, &names, app.plane.durable_seq())))
}

fn answer(
    outlook: &Outlook,
    tasks: u32,
    now: Timestamp,
    begin: Option<Timestamp>,
    names: &Names,
    seq: u64,
) -> v1::PlanAnswer {
    let feasible = feasibility(outlook, begin);
    let found = &outlook.explanation;
    let candidates = convert::candidates(&found.candidates, Some(0), now, names);
    let text = match (feasible, candidates.first()) {
        (Feasibility::Now, Some(best)) => {
            format!("would start now on {} for at most {}", best.cluster, credits(&best.cost))
        }
        (_, Some(best)) => {
            let begin_wait = begin.map_or(0, |begin| begin.since(now).0);
            let wait = i64::try_from(best.wait_s.max(begin_wait)).unwrap_or(i64::MAX);
            format!(
                "would start in about {} on {} for at most {}",
                explain::length(wait),
                best.cluster,
                credits(&best.cost)
            )
        }
        (_, None) => explain::reason_text(outlook.reason.unwrap_or(WaitingFor::NoSiteFits), ""),
    };
    v1::PlanAnswer {
        feasible,
        tasks,
        tasks_now: if begin.is_some() { 0 } else { outlook.tasks_now },
        last_start_at: outlook.last_start.map(convert::time),
        cost: outlook.cost.map(convert::money),
        candidates,
        unfit: convert::unfit(&found.unfit, names),
        steps: explain::steps(&outlook.steps, &found.unfit, names),
        smallest_change: explain::smallest_change(&outlook.remedies, names),
        text,
        seq,
    }
}

fn feasibility(outlook: &Outlook, begin: Option<Timestamp>) -> Feasibility {
    match (outlook.explanation.candidates.is_empty(), outlook.reason) {
        (false, _) if outlook.tasks_now > 0 && begin.is_none() => Feasibility::Now,
        (false, _) => Feasibility::Later,
        (true, Some(WaitingFor::Budget)) => Feasibility::OverBudget,
        (true, Some(WaitingFor::Quota)) => Feasibility::OverQuota,
        (true, Some(WaitingFor::SiteUnreachable | WaitingFor::SiteRefused)) => Feasibility::Later,
        (true, _) => Feasibility::Never,
    }
}

fn credits(money: &v1::Money) -> String {
    format!("{} credits", suanpan_model::money::MicroCredits(money.micro))
}
