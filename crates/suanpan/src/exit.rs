//! Exit codes: the one table, and what of a job becomes which code.

use suanpan_wire::v1::{JobDetail, JobState};

/// One documented exit code.
pub struct Row {
    /// The code, or a range of them.
    pub code: &'static str,
    /// Which verbs return it.
    pub verbs: &'static str,
    /// What it means.
    pub meaning: &'static str,
}

/// Everything worked.
pub const OK: u8 = 0;
/// Something failed that no other code names.
pub const OTHER: u8 = 1;
/// The command line or a file is wrong.
pub const USAGE: u8 = 2;
/// Refused by a rule or a limit, or impossible.
pub const REFUSED: u8 = 3;
/// There is no such job or site.
pub const NOT_FOUND: u8 = 4;
/// The token is missing, unknown or not enough.
pub const NOT_AUTHORISED: u8 = 5;
/// The server cannot be reached, or takes no work now.
pub const UNREACHABLE: u8 = 69;
/// The reader of our output went away: 128 + SIGPIPE, as a shell would report it.
pub const OUTPUT_CLOSED: u8 = 141;
/// Ended by Ctrl-C: 128 + SIGINT.
pub const INTERRUPTED: u8 = 130;

/// `plan`: it could start now.
pub const PLAN_NOW: u8 = 0;
/// `plan`: it would wait first.
pub const PLAN_LATER: u8 = 10;
/// `plan`: no site could ever run it.
pub const PLAN_NEVER: u8 = 11;
/// `plan`: every site that fits is above its budget, or the quota of its project is in the way.
pub const PLAN_OVER_BUDGET: u8 = 12;

/// The table of the reference.
pub const TABLE: &[Row] = &[
    Row { code: "0", verbs: "all", meaning: "it worked; of `plan`: it could start now" },
    Row { code: "1", verbs: "all", meaning: "it failed, and no other code says how" },
    Row { code: "2", verbs: "all", meaning: "the command line or a file is wrong" },
    Row { code: "3", verbs: "all", meaning: "refused by a rule or a limit, or impossible" },
    Row { code: "4", verbs: "all", meaning: "there is no such job or site" },
    Row { code: "5", verbs: "all", meaning: "not authorised" },
    Row { code: "10", verbs: "plan", meaning: "it would wait first" },
    Row { code: "11", verbs: "plan", meaning: "no site could ever run it" },
    Row { code: "12", verbs: "plan", meaning: "every site that fits is above its budget" },
    Row {
        code: "69",
        verbs: "all",
        meaning: "the server cannot be reached or takes no work now; safe to try again",
    },
    Row { code: "120", verbs: FOLLOWING, meaning: "what is 2 elsewhere" },
    Row { code: "121", verbs: FOLLOWING, meaning: "what is 3 elsewhere" },
    Row { code: "122", verbs: FOLLOWING, meaning: "what is 4 elsewhere" },
    Row { code: "123", verbs: FOLLOWING, meaning: "what is 5 elsewhere" },
    Row { code: "124", verbs: FOLLOWING, meaning: "what is 69 elsewhere" },
    Row { code: "125", verbs: FOLLOWING, meaning: "what is 1 elsewhere" },
    Row {
        code: "0 to 255",
        verbs: FOLLOWING,
        meaning: "the job's own code, the highest over its tasks; 128 + n if signal n ended it; \
                  143 if it was cancelled or reached its time limit, 137 if it ran out of memory",
    },
    Row {
        code: "0, 100 to 103",
        verbs: "run, wait with --status-code",
        meaning: "0 completed, 100 failed, 101 not finished, 102 no such job, 103 cancelled",
    },
    Row { code: "130", verbs: "all", meaning: "ended by Ctrl-C" },
    Row { code: "141", verbs: "all", meaning: "the reader of the output went away" },
];

const FOLLOWING: &str = "run, wait, logs -f, submit --wait";

/// Whether a verb's own errors keep their codes or make room for the job's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codes {
    /// 2, 3, 4, 5, 69.
    Own,
    /// The same errors as 120 to 125, because the verb returns its job's code.
    Job,
    /// The codes of `--status-code`.
    Status,
}

impl Codes {
    /// What an error with this code of its own becomes.
    #[must_use]
    pub fn of(self, own: u8) -> u8 {
        match (self, own) {
            (Codes::Own, code) | (_, code @ (OUTPUT_CLOSED | INTERRUPTED)) => code,
            (Codes::Status, NOT_FOUND) => 102,
            (_, USAGE) => 120,
            (_, REFUSED) => 121,
            (_, NOT_FOUND) => 122,
            (_, NOT_AUTHORISED) => 123,
            (_, UNREACHABLE) => 124,
            (_, _) => 125,
        }
    }
}

/// The code of a job that ended: its own (of an array the highest), or what stands for its end.
#[must_use]
pub fn of_job(detail: &JobDetail) -> u8 {
    if let Some(task) = &detail.task {
        let ending = task.attempt.as_ref().and_then(|attempt| attempt.ending.as_ref());
        let code = ending.and_then(|ending| ending.exit_code);
        return of_end(code, ending.and_then(|ending| ending.signal), of_state(task.state));
    }
    let job = &detail.job;
    let states = job.array.iter().flat_map(|array| array.states.keys().copied());
    let worst = states.chain([job.state]).map(of_state).max().unwrap_or(0);
    of_end(job.exit_code, job.signal, worst)
}

fn of_end(exit_code: Option<u8>, signal: Option<u8>, by_state: u8) -> u8 {
    let signalled = signal.map_or(0, |signal| signal.saturating_add(128));
    let own = exit_code.unwrap_or(0).max(signalled);
    // A code that is known says more than the 1 that stands for "failed".
    if own > 0 && by_state <= 1 { own } else { own.max(by_state) }
}

fn of_state(state: JobState) -> u8 {
    match state {
        JobState::Completed => 0,
        JobState::Timeout | JobState::Cancelled => 143,
        JobState::OutOfMemory => 137,
        _ => 1,
    }
}

/// The code of `--status-code`.
#[must_use]
pub fn status_code(state: JobState) -> u8 {
    match state {
        JobState::Completed => 0,
        JobState::Cancelled => 103,
        state if state.is_terminal() => 100,
        _ => 101,
    }
}

#[cfg(test)]
mod tests {
    use super::{Codes, NOT_FOUND, OUTPUT_CLOSED, USAGE, status_code};
    use suanpan_wire::v1::JobState;

    #[test]
    fn errors_never_collide_with_a_jobs_code() {
        assert_eq!(Codes::Own.of(USAGE), 2);
        assert_eq!(Codes::Job.of(USAGE), 120);
        assert_eq!(Codes::Job.of(69), 124);
        assert_eq!(Codes::Job.of(1), 125);
        assert_eq!(Codes::Status.of(NOT_FOUND), 102);
        assert_eq!(Codes::Job.of(OUTPUT_CLOSED), OUTPUT_CLOSED);
    }

    #[test]
    fn status_codes_are_the_five_of_the_table() {
        let codes: Vec<u8> = JobState::ALL.into_iter().map(status_code).collect();
        assert_eq!(codes, [101, 101, 101, 101, 0, 100, 100, 103, 100, 100, 100, 100]);
    }
}
