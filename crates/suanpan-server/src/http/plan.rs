//! `POST /v1/plan`: where would this job run?

use super::App;
use super::auth::{Right, User};
use super::convert::{self, Names};
use super::explain;
use super::params::{JsonBytes, Params};
use super::problem::Answer;
use super::submit::{Form, read_jobs, tasks_of};
use axum::Json;
use axum::extract::{RawQuery, State};
use std::sync::Arc;
use suanpan_model::time::Timestamp;
use suanpan_sched::reason::{Explanation, Predicate};
use suanpan_wire::v1;
use suanpan_wire::v1::{Feasibility, SubmitJob};

/// Candidates shown.
const CANDIDATES_MAX: usize = 20;

/// A start within so many seconds is "now": the scheduler looks at least so often.
const NOW_S: u64 = 1;

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
    let read = read_jobs(&[job], &user, Form::Single)?;
    let spec = read.specs.into_iter().next().expect("one job in, one job out");
    let (names, now) = app.plane.ask(|state, now| (Names::of(state), now)).await?;
    let explanation = app.plane.candidates(Arc::clone(&spec.shape), CANDIDATES_MAX).await?;
    let start = spec.begin.unwrap_or(now).max(now);
    Ok(Json(answer(&explanation, tasks_of(&spec), now, start, &names, app.plane.durable_seq())))
}

fn answer(
    explanation: &Explanation,
    tasks: u32,
    now: Timestamp,
    begin: Timestamp,
    names: &Names,
    seq: u64,
) -> v1::PlanAnswer {
    let feasible = feasibility(explanation, now, begin);
    let candidates = convert::candidates(&explanation.candidates, Some(0), now, names);
    let text = match (feasible, candidates.first()) {
        (Feasibility::Now, Some(best)) => {
            format!("would start now on {} for at most {}", best.cluster, credits(&best.cost))
        }
        (_, Some(best)) => format!(
            "would start in about {} on {} for at most {}",
            explain::length(i64::try_from(best.wait_s).unwrap_or(i64::MAX)),
            best.cluster,
            credits(&best.cost)
        ),
        (Feasibility::OverBudget, None) => "every site that fits is above its budget".to_owned(),
        (_, None) => "no site of the network can take it".to_owned(),
    };
    v1::PlanAnswer {
        feasible,
        tasks,
        smallest_change: match candidates.is_empty() {
            true => explain::smallest_change(&explanation.unfit, names),
            false => None,
        },
        candidates,
        unfit: convert::unfit(&explanation.unfit, names),
        steps: explain::steps(&explanation.unfit, names),
        text,
        seq,
    }
}

fn feasibility(explanation: &Explanation, now: Timestamp, begin: Timestamp) -> Feasibility {
    match explanation.candidates.first() {
        Some(best) if best.start.max(begin).since(now).0 <= NOW_S => Feasibility::Now,
        Some(_) => Feasibility::Later,
        None => {
            let by_budget = |p: Predicate| p == Predicate::Budget;
            let for_now = |p: Predicate| p > Predicate::Deadline;
            let has = |test: &dyn Fn(Predicate) -> bool| {
                explanation.unfit.iter().any(|unfit| test(unfit.predicate))
            };
            match (has(&for_now), has(&by_budget)) {
                (true, _) => Feasibility::Later,
                (false, true) => Feasibility::OverBudget,
                (false, false) => Feasibility::Never,
            }
        }
    }
}

fn credits(money: &v1::Money) -> String {
    format!("{} credits", suanpan_model::money::MicroCredits(money.micro))
}
