//! `GET /v1/jobs/{id}/why`: why a job waits, or why it was placed where it is.

use super::App;
use super::auth::{Right, User};
use super::convert::{self, Names, word};
use super::jobs::wait_for_seen;
use super::params::{JobPath, Params};
use super::problem::Answer;
use super::{closures, explain, rows};
use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use std::sync::Arc;
use suanpan_engine::explain::Explained;
use suanpan_model::id::JobId;
use suanpan_model::job::Goal;
use suanpan_model::time::Timestamp;
use suanpan_sched::reason::WaitingFor;
use suanpan_sched::snapshot::ClassKey;
use suanpan_wire::v1;

/// Candidates shown.
const CANDIDATES_MAX: usize = 20;

/// Says why a job waits, or why it was placed where it is and not elsewhere.
#[utoipa::path(
    get, path = "/v1/jobs/{id}/why", tag = "jobs", operation_id = "why",
    params(
        ("id" = String, Path, pattern = "^[1-9][0-9]{0,17}(_[0-9]{1,9})?$",
            description = "A job, `36`, or one task of an array, `36_4`.", example = "36"),
        ("Suanpan-Seq" = Option<u64>, Header, maximum = 9007199254740991_i64,
            description = "Show at least this position."),
    ),
    responses(
        (status = 200, description = "The reasons", body = v1::Why),
        (status = 404, description = "There is no such job", body = v1::Problem,
            content_type = "application/problem+json"),
    )
)]
pub(super) async fn why(
    State(app): State<Arc<App>>,
    user: User,
    JobPath(task): JobPath,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer<Json<v1::Why>> {
    user.must(Right::Look)?;
    Params::read(query.as_deref(), &[])?;
    wait_for_seen(&app, &headers).await?;
    let seen = app.plane.ask(move |state, now| {
        let job = state.job(task.job);
        let home = job.and_then(|job| job.home);
        let names =
            job.map_or_else(|| Names::of(state), |job| Names::of_job(state, &job.spec.shape));
        (state.explain(now, task), names, home, now)
    });
    let (explained, names, home, now) = seen.await?;
    let home = home.map(|home| names.get(home));
    if explained == Explained::Unknown {
        return Err(rows::unknown(task));
    }
    // What the state says may be ahead of the views.
    app.plane.views().wait_for(app.plane.durable_seq(), std::time::Duration::from_secs(5)).await;
    let detail = rows::detail(&app, task, rows::Launch::Left).await?;
    let pending = match explained {
        Explained::Blocked { job, reason, detail, class } => {
            let found = Found { job, reason: Some((reason, detail)), class };
            Some(waits(&app, found, &names, now).await?)
        }
        Explained::Eligible { job, class } => {
            Some(waits(&app, Found { job, reason: None, class }, &names, now).await?)
        }
        Explained::Unknown | Explained::Finished(_) | Explained::Placed(_) => None,
    };
    let pending =
        pending.map(|pending| v1::WhyPending { since: detail.job.submitted_at, ..pending });
    let pending = pending.map(|pending| of_array(pending, home.as_deref()));
    let placed = placed(&app, &detail, &names).await?;
    Ok(Json(v1::Why {
        job: detail.job.id,
        index: detail.task.as_ref().and_then(|task| task.index),
        state: detail.task.as_ref().map_or(detail.job.state, |task| task.state),
        text: sentence(&detail, pending.as_ref(), placed.as_ref(), home.as_deref()),
        preempted_by: preempted_by(&detail),
        pending,
        placed,
        seq: app.plane.durable_seq(),
    }))
}

/// The job for which the latest attempt was stopped.
fn preempted_by(detail: &v1::JobDetail) -> Option<u64> {
    detail.attempts.last().and_then(|attempt| attempt.preempted_by)
}

fn sentence(
    detail: &v1::JobDetail,
    pending: Option<&v1::WhyPending>,
    placed: Option<&v1::WhyPlaced>,
    home: Option<&str>,
) -> String {
    let ended = detail.attempts.last().is_some_and(|attempt| attempt.ended_at.is_some());
    match (preempted_by(detail), pending) {
        (Some(by), Some(pending)) => {
            return format!("it was stopped for job {by}, and waits: {}", pending.text);
        }
        (Some(by), None) if ended => return format!("it was stopped for job {by}"),
        (Some(by), None) => return format!("it is being stopped for job {by}"),
        (None, _) => {}
    }
    match (pending, placed) {
        (Some(pending), _) => format!("it waits: {}", pending.text),
        (None, Some(placed)) => {
            let runner_up = placed
                .losers
                .first()
                .map(|loser| format!("; {} {}", loser.candidate.cluster, loser.why_not));
            let waits = detail.attempts.last().and_then(|attempt| attempt.site_reason.as_deref());
            let waits = waits.map(|reason| format!("; it waits there: {reason}"));
            // The later tasks of an array that stays together were not asked where.
            let is_bound = placed.losers.is_empty() && home == Some(&*placed.chosen.cluster);
            let why = match is_bound {
                true => ", where the first task of its array was placed".to_owned(),
                false => format!(" as the best by `{}`", placed.goal),
            };
            format!(
                "placed on {}{why}{}{}",
                placed.chosen.cluster,
                runner_up.unwrap_or_default(),
                waits.unwrap_or_default()
            )
        }
        (None, None) => "it ended without having been placed".to_owned(),
    }
}

/// Says of an array that stays together why only one cluster is left.
fn of_array(mut pending: v1::WhyPending, home: Option<&str>) -> v1::WhyPending {
    let Some(home) = home else { return pending };
    for step in pending.steps.iter_mut().filter(|step| step.condition == "site") {
        step.asked = format!("{home}, where the first task of its array was placed");
    }
    pending
}

/// What is known of a job that waits.
struct Found {
    job: JobId,
    reason: Option<(WaitingFor, String)>,
    class: ClassKey,
}

async fn waits(app: &App, found: Found, names: &Names, now: Timestamp) -> Answer<v1::WhyPending> {
    let Found { job, reason, class } = found;
    let last = app.plane.waiting(job, &class);
    let asked = app.plane.ask_scheduler(move |snapshot, now, policy| {
        use suanpan_sched::explain::{WhatIf, outlook_of, what_if};
        // A job that may not start yet is not among the scheduler's: it is judged by its shape.
        what_if(snapshot, now, policy, job).unwrap_or_else(|| {
            let foretold = outlook_of(snapshot, now, policy, &class, None, 1);
            WhatIf {
                reason: foretold.reason,
                explanation: foretold.explanation,
                steps: foretold.steps,
                remedies: foretold.remedies,
            }
        })
    });
    let mut told = asked.await?;
    told.explanation.candidates.truncate(CANDIDATES_MAX);
    let by_scheduler = last.as_ref().map(|waits| waits.reason).or(told.reason);
    let blocked = reason.is_some();
    let (reason, mut detail) =
        reason.unwrap_or((by_scheduler.unwrap_or(WaitingFor::Priority), String::new()));
    if reason == WaitingFor::Priority
        && let Some(first) = last.as_ref().and_then(|waits| waits.first)
        && first != job
    {
        detail = format!("job {first} of the same shape is first");
    }
    let in_the_way = match blocked {
        true => closures::Shown::default(),
        false => {
            let unfit = Arc::clone(&told.explanation.unfit);
            let way = move |state: &_, now| closures::in_the_way(state, now, job, &unfit);
            app.plane.ask(way).await?
        }
    };
    if reason == WaitingFor::ReqNodeNotAvail
        && let Some(first) = in_the_way.first_in_words()
    {
        detail = first;
    }
    let start = last.as_ref().and_then(|waits| waits.shadow_start);
    let start = start.or_else(|| told.explanation.candidates.first().map(|best| best.start));
    let found = &told.explanation;
    Ok(v1::WhyPending {
        reason: word(&reason),
        text: explain::reason_text(reason, &detail),
        since: convert::time(now),
        expected_start_at: start.filter(|_| !blocked).map(convert::time),
        steps: explain::steps(&told.steps, &found.unfit, names),
        smallest_change: explain::smallest_change(&told.remedies, names),
        drains: in_the_way.drains,
        reservations: in_the_way.reservations,
        candidates: convert::candidates(&found.candidates, None, now, names),
        unfit: convert::unfit(&found.unfit, names),
    })
}

async fn placed(
    app: &Arc<App>,
    detail: &v1::JobDetail,
    names: &Names,
) -> Answer<Option<v1::WhyPlaced>> {
    let Some(attempt) = detail.attempts.last() else { return Ok(None) };
    let Some(explanation) = rows::explanation(app, attempt.allocation).await? else {
        return Ok(None);
    };
    let goal = match detail.goal.as_str() {
        "fastest" => Goal::Fastest,
        "cheapest" => Goal::Cheapest,
        _ => Goal::Balanced,
    };
    let at = Timestamp(attempt.placed_at.micros());
    let is_chosen = |one: &v1::Candidate| {
        one.cluster == attempt.cluster
            && one.partition == attempt.partition
            && one.flavor == attempt.flavor
    };
    let shown = convert::candidates(&explanation.candidates, None, at, names);
    let Some(place) = shown.iter().position(is_chosen) else { return Ok(None) };
    let winner = &explanation.candidates[place];
    let losers = shown
        .iter()
        .zip(&explanation.candidates)
        .enumerate()
        .filter(|(index, _)| *index != place)
        .map(|(_, (candidate, found))| v1::Loser {
            candidate: candidate.clone(),
            why_not: explain::why_not(found, winner, goal),
        })
        .collect();
    Ok(Some(v1::WhyPlaced {
        allocation: attempt.allocation,
        at: attempt.placed_at,
        goal: word(&goal),
        chosen: v1::Candidate { chosen: true, ..shown[place].clone() },
        losers,
        unfit: convert::unfit(&explanation.unfit, names),
    }))
}
