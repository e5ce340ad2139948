//! `logs`: a job's output, from wherever it runs.

use super::{Context, follow};
use crate::cli::Logs;
use crate::client::{Client, LONG_PATIENCE};
use crate::exit;
use crate::failure::{Failure, Outcome};
use crate::output::Form;
use suanpan_wire::v1::{LogChunk, LogStreamName};

/// Bytes from the end that are searched for the last lines.
const TAIL_BYTES: i64 = 1 << 20;

/// Does it.
pub fn run(context: &Context<'_>, args: &Logs) -> Outcome {
    let client = context.client()?;
    let id = match args.task {
        Some(index) if args.job.contains('_') => {
            let message = format!("{} names a task already, beside --task {index}", args.job);
            return Err(Failure::usage(message));
        }
        Some(index) => format!("{}_{index}", args.job),
        None => one_task(&client, &args.job)?,
    };
    let stream = if args.stderr { LogStreamName::Stderr } else { LogStreamName::Stdout };
    let begin = match args.tail {
        Some(lines) => tail(context, &client, &id, stream, lines)?,
        None => 0,
    };
    if args.follow {
        let client = client.patient(LONG_PATIENCE);
        let follower = follow::Follower::new(&client, context.output, &id, stream, begin);
        return Ok(exit::of_job(&follower.until_over()?));
    }
    if args.tail.is_none() {
        whole(context, &client, &id, stream)?;
    }
    Ok(exit::OK)
}

/// The id, if there is one output to read; of an array one task must be named.
fn one_task(client: &Client, id: &str) -> Result<String, Failure> {
    let detail = client.job(id)?;
    match &detail.job.array {
        Some(array) if array.tasks > 1 && detail.task.is_none() => {
            let first: String = array.indexes.chars().take_while(char::is_ascii_digit).collect();
            let message = format!("{id} is an array of {} tasks ({})", array.tasks, array.indexes);
            Err(Failure::usage(message)
                .hint(format!("name a task: `suanpan logs {id}_{first}`, or --task {first}")))
        }
        _ => Ok(id.to_owned()),
    }
}

/// Prints all there is.
fn whole(
    context: &Context<'_>,
    client: &Client,
    id: &str,
    stream: LogStreamName,
) -> Result<(), Failure> {
    let mut offset = 0;
    loop {
        let chunk = client.log(id, stream, offset, follow::CHUNK)?;
        if context.output.form == Form::Json {
            context.output.json("log_chunk", None, &chunk)?;
        } else {
            context.output.text(&chunk.text)?;
        }
        offset = i64::try_from(chunk.next_offset).unwrap_or(i64::MAX);
        if chunk.text.is_empty() || chunk.next_offset >= chunk.size {
            return Ok(());
        }
    }
}

/// Prints the last lines and answers where to go on.
fn tail(
    context: &Context<'_>,
    client: &Client,
    id: &str,
    stream: LogStreamName,
    lines: usize,
) -> Result<i64, Failure> {
    let mut text = String::new();
    let mut chunk: LogChunk = client.log(id, stream, -TAIL_BYTES, follow::CHUNK)?;
    loop {
        text.push_str(&chunk.text);
        let next = i64::try_from(chunk.next_offset).unwrap_or(i64::MAX);
        if chunk.text.is_empty() || chunk.next_offset >= chunk.size {
            context.output.text(last_lines(&text, lines))?;
            return Ok(next);
        }
        chunk = client.log(id, stream, next, follow::CHUNK)?;
    }
}

fn last_lines(text: &str, lines: usize) -> &str {
    let body = text.strip_suffix('\n').unwrap_or(text);
    if lines == 0 {
        return "";
    }
    match body.rmatch_indices('\n').nth(lines - 1) {
        Some((end, _)) => &text[end + 1..],
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::last_lines;

    #[test]
    fn the_last_lines_keep_their_ends() {
        assert_eq!(last_lines("a\nb\nc\n", 2), "b\nc\n");
        assert_eq!(last_lines("a\nb\nc", 1), "c");
        assert_eq!(last_lines("a\n", 9), "a\n");
        assert_eq!(last_lines("a\nb\n", 0), "");
    }
}
