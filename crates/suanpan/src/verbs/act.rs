//! `cancel`, `hold`, `release`, `requeue`.

use super::Context;
use crate::client::api::Action;
use crate::exit;
use crate::failure::{Failure, Outcome};
use crate::output::Form;
use suanpan_wire::v1::ActionAnswer;

/// Does something to every job named. One that cannot be is said, and the others are done.
pub fn run(context: &Context<'_>, action: Action, jobs: &[String]) -> Outcome {
    let client = context.client()?;
    let mut done: Vec<ActionAnswer> = Vec::new();
    let mut failed: Vec<Failure> = Vec::new();
    for id in split(jobs) {
        match client.act(&id, action) {
            Ok(answer) => {
                if context.output.form == Form::Ids {
                    context.output.line(&id)?;
                }
                done.push(answer);
            }
            // Without a server or a right there is no use in trying the next.
            Err(failure) if matches!(failure.code, exit::UNREACHABLE | exit::NOT_AUTHORISED) => {
                return Err(failure);
            }
            Err(failure) => failed.push(failure),
        }
    }
    match together(failed) {
        Some(failure) => Err(failure),
        None => {
            if context.output.form == Form::Json {
                let seq = done.iter().map(|answer| answer.seq).max();
                context.output.json(action.word(), seq, &done)?;
            }
            Ok(exit::OK)
        }
    }
}

/// Ids, of which several may stand in one word: `36,37_4`.
pub fn split(jobs: &[String]) -> Vec<String> {
    let parts = jobs.iter().flat_map(|word| word.split(','));
    parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// Several failures as one: the sentences of all, the code and the words of the first.
fn together(failed: Vec<Failure>) -> Option<Failure> {
    let mut all = failed.into_iter();
    let mut first = all.next()?;
    for other in all {
        first.message.push('\n');
        first.message.push_str(&other.message);
        first.code = first.code.max(other.code);
    }
    Some(first)
}
