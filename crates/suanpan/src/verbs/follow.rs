//! Following a job: its output as it grows, until it is over.

use crate::client::Client;
use crate::client::api::Action;
use crate::exit;
use crate::failure::Failure;
use crate::interrupt::Interrupts;
use crate::output::{Output, format, note};
use std::time::Duration;
use suanpan_wire::v1::{JobDetail, JobState, LogChunk, LogStreamName};

/// Bytes asked at a time.
pub const CHUNK: u32 = 256 * 1024;

/// Pause between two looks at an output that did not grow.
const PAUSE: Duration = Duration::from_millis(250);

/// State of the job, or of the task that was asked for.
pub fn state_of(detail: &JobDetail) -> JobState {
    detail.task.as_ref().map_or(detail.job.state, |task| task.state)
}

/// What of a job's output is printed, and where from.
pub struct Follower<'a> {
    client: &'a Client,
    output: &'a Output,
    id: &'a str,
    stream: LogStreamName,
    offset: i64,
    allocation: Option<u64>,
    interrupts: Option<&'a Interrupts>,
    answered: usize,
}

impl<'a> Follower<'a> {
    /// Follows this job from this byte on.
    pub fn new(
        client: &'a Client,
        output: &'a Output,
        id: &'a str,
        stream: LogStreamName,
        offset: i64,
    ) -> Follower<'a> {
        let (allocation, interrupts, answered) = (None, None, 0);
        Follower { client, output, id, stream, offset, allocation, interrupts, answered }
    }

    /// The same; the first Ctrl-C asks that the job ends, the second only ends the following.
    #[must_use]
    pub fn cancelling(mut self, interrupts: &'a Interrupts) -> Follower<'a> {
        self.interrupts = Some(interrupts);
        self
    }

    /// Prints what there is and what comes, until the job is over and everything was printed.
    pub fn until_over(mut self) -> Result<JobDetail, Failure> {
        loop {
            self.heed_interrupts()?;
            let grew = match self.client.log(self.id, self.stream, self.offset, CHUNK) {
                Ok(chunk) => self.take(&chunk)?,
                // Nothing to read yet: it waits, or its site is only now making the file.
                Err(failure) if failure.code == exit::NOT_FOUND => Grew::No,
                Err(failure) if self.is_about_output(&failure) => Grew::No,
                Err(failure) => return Err(failure),
            };
            match grew {
                Grew::Yes => {}
                Grew::No => {
                    let detail = self.client.job(self.id)?;
                    if state_of(&detail).is_terminal() {
                        self.rest()?;
                        return Ok(detail);
                    }
                    std::thread::sleep(PAUSE);
                }
            }
        }
    }

    /// The last bytes: what was written between the last look and the end.
    fn rest(&mut self) -> Result<(), Failure> {
        loop {
            match self.client.log(self.id, self.stream, self.offset, CHUNK) {
                Ok(chunk) => match self.take(&chunk)? {
                    Grew::Yes => {}
                    Grew::No => return Ok(()),
                },
                Err(failure) if failure.code == exit::NOT_FOUND => return Ok(()),
                Err(failure) if self.is_about_output(&failure) => {
                    note(format!(
                        "note: the rest of the output cannot be read: {}",
                        failure.message
                    ));
                    return Ok(());
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    fn take(&mut self, chunk: &LogChunk) -> Result<Grew, Failure> {
        if let Some(before) = self.allocation.replace(chunk.allocation)
            && before != chunk.allocation
        {
            note(format!("note: job {} was started again; its new output follows", self.id));
            self.offset = 0;
            return Ok(Grew::Yes);
        }
        let next = i64::try_from(chunk.next_offset).unwrap_or(i64::MAX);
        let grew = if chunk.text.is_empty() { Grew::No } else { Grew::Yes };
        self.offset = next;
        self.output.text(&chunk.text)?;
        Ok(grew)
    }

    /// The server is there, but the output cannot be read just now, its site being silent say.
    fn is_about_output(&self, failure: &Failure) -> bool {
        let code = failure.problem.as_ref().map_or("", |problem| problem.code.as_str());
        matches!(code, "not-placed" | "no-output" | "no-answer" | "unknown-attempt")
    }

    fn heed_interrupts(&mut self) -> Result<(), Failure> {
        let Some(count) = self.interrupts.map(Interrupts::count) else { return Ok(()) };
        if count > self.answered {
            self.answered += 1;
            if self.answered > 1 {
                let hint = format!("`suanpan logs -f {}` follows it again", self.id);
                return Err(Failure::interrupted().hint(hint));
            }
            note(format!(
                "cancelling job {}; press Ctrl-C again to leave without waiting for it",
                self.id
            ));
            self.client.act(self.id, Action::Cancel)?;
        }
        Ok(())
    }
}

enum Grew {
    Yes,
    No,
}

/// How a job ended, as one line for people.
pub fn ending_line(id: &str, detail: &JobDetail) -> String {
    let state = state_of(detail);
    let attempt = match &detail.task {
        Some(task) => task.attempt.as_ref(),
        None => detail.attempts.last(),
    };
    let mut text = format!("job {id} ended: {}", state.name());
    let ending = attempt.and_then(|attempt| attempt.ending.as_ref());
    match ending {
        Some(ending) if ending.exit_code.is_some_and(|code| code > 0) => {
            text.push_str(&format!(", exit code {}", ending.exit_code.unwrap_or_default()));
        }
        Some(ending) if ending.signal.is_some() => {
            text.push_str(&format!(", signal {}", ending.signal.unwrap_or_default()));
        }
        _ => {}
    }
    if let Some(ending) = ending.filter(|ending| !ending.message.is_empty()) {
        text.push_str(&format!(" ({})", ending.message));
    }
    if let Some(attempt) = attempt {
        text.push_str(&format!("; ran at {}", attempt.site));
        if let Some(ending) = ending {
            text.push_str(&format!(" for {}", format::measured(ending.used.wall_s)));
        }
        if let Some(charged) = &attempt.charged {
            text.push_str(&format!(", cost {}", format::money_named(charged)));
        }
    }
    text
}
