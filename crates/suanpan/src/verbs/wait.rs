//! `wait`: until jobs have ended.

use super::{Context, follow};
use crate::cli::Wait;
use crate::client::{Client, LONG_PATIENCE};
use crate::exit;
use crate::failure::{Failure, Outcome};
use crate::output::{Form, note};
use crate::progress::Progress;
use std::time::{Duration, Instant};
use suanpan_wire::v1::{JobDetail, JobState};

/// Seconds for which one request waits at the server.
const HOLD: u64 = 20;

/// Does it.
pub fn run(context: &Context<'_>, args: &Wait) -> Outcome {
    let client = context.client()?;
    let ids = super::act::split(&args.jobs);
    // A job or a server that is not there is told at once; patience is for what happens later.
    for id in &ids {
        client.job(id)?;
    }
    let client = client.patient(LONG_PATIENCE);
    let until = args.timeout.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let mut ended = Vec::new();
    let mut code = exit::OK;
    for id in ids {
        match until_over(&client, &id, until)? {
            Some(detail) => {
                let state = follow::state_of(&detail);
                let own = exit::of_job(&detail);
                code = code.max(if args.status_code { exit::status_code(state) } else { own });
                if context.output.form == Form::Text && state != JobState::Completed {
                    note(follow::ending_line(&id, &detail));
                }
                ended.push(detail);
            }
            None if args.status_code => return Ok(exit::status_code(JobState::Running)),
            None => {
                let seconds = args.timeout.unwrap_or_default();
                return Err(Failure::other(format!("job {id} did not end within {seconds} s")));
            }
        }
    }
    match context.output.form {
        Form::Json => context.output.json("job_details", None, &ended)?,
        Form::Ids => ended.iter().try_for_each(|d| context.output.line(d.job.id.to_string()))?,
        Form::Text => {}
    }
    Ok(code)
}

/// The job once it is over; `None` if that takes too long.
pub fn until_over(
    client: &Client,
    id: &str,
    until: Option<Instant>,
) -> Result<Option<JobDetail>, Failure> {
    let mut progress = Progress::waiting(&format!("waiting for job {id}"));
    // The first look is short, so that a terminal soon shows that something is waited for.
    let mut hold = 1;
    loop {
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        let seconds = left.map_or(hold, |left| left.as_secs().min(hold));
        let detail = client.job_when_over(id, seconds)?;
        if follow::state_of(&detail).is_terminal() {
            return Ok(Some(detail));
        }
        if left.is_some_and(|left| left.is_zero()) {
            return Ok(None);
        }
        progress.say(&format!("waiting for job {id} ({})", follow::state_of(&detail).name()));
        if seconds == 0 {
            std::thread::sleep(Duration::from_millis(100));
        }
        hold = HOLD;
    }
}
