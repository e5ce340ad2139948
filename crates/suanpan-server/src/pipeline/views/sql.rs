//! Rows of the views to and from the database.

use rusqlite::{Connection, OptionalExtension, Result, Row, params};
use suanpan_ledger::{Account, AccountId};
use suanpan_model::id::{AllocationId, ClusterId, JobId};
use suanpan_model::job::{End, Hold, JobState, PayloadReach, Prediction, Usage};
use suanpan_model::memory::Mebibytes;
use suanpan_model::money::MicroCredits;
use suanpan_model::time::{Seconds, Timestamp};
use suanpan_model::tres::Tres;

use super::rows::{AttemptRow, AttemptState, JobRow, Moment, Requeued, StateCounts};

pub(crate) const JOB_COLUMNS: &str = "id, tasks, \"array\", name, user, project, held, \
     submitted_seq, submitted_place, submitted_us, begin_us, deadline_us, started_us, ended_us, \
     nodes, cpus_per_node, memory_mib_per_node, gpus_per_node, time_limit_s, partitions, \
     dependency, attempts, last_allocation, charged_micro, wall_us, cpu_us, memory_peak_bytes, \
     exit_code, signal, tasks_pending, tasks_configuring, tasks_running, tasks_completing, \
     tasks_completed, tasks_failed, tasks_timeout, tasks_cancelled, tasks_node_fail, \
     tasks_preempted, tasks_out_of_memory, tasks_deadline, preempted_by";

/// Columns of attempts `a` with their clusters `c`.
pub(crate) const ATTEMPT_COLUMNS: &str = "a.allocation, a.job, a.task, a.state, a.cluster, \
     c.name, c.site, a.partition, a.flavor, a.nodes, a.cpus_per_node, a.memory_mib_per_node, \
     a.gpus_per_node, a.time_limit_s, a.predicted_start_us, a.predicted_start_latest_us, \
     a.predicted_stage_s, a.predicted_run_s, a.predicted_cost_micro, a.placed_seq, a.placed_us, \
     a.staging_seq, a.staging_us, a.started_seq, a.started_us, a.ended_seq, a.ended_us, \
     a.stopping, a.charged_micro, a.\"end\", a.exit_code, a.signal, a.payload, a.requeued, \
     a.wall_us, a.cpu_us, a.memory_peak_bytes, a.message, a.transfer, a.explanation, \
     a.preempted_by, a.predicted_out_s";

const INSERT_JOB: &str = "INSERT INTO jobs \
    (id, tasks, \"array\", name, user, project, state, mixed, held, \
         submitted_seq, submitted_place, submitted_us, begin_us, deadline_us, started_us, \
         ended_us, nodes, cpus_per_node, memory_mib_per_node, gpus_per_node, time_limit_s, \
         partitions, dependency, attempts, last_allocation, charged_micro, wall_us, cpu_us, \
         memory_peak_bytes, exit_code, signal, tasks_pending, tasks_configuring, tasks_running, \
         tasks_completing, tasks_completed, tasks_failed, tasks_timeout, tasks_cancelled, \
         tasks_node_fail, tasks_preempted, tasks_out_of_memory, tasks_deadline, preempted_by) \
         VALUES (?1, ?2, \
         ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, \
         ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34, ?35, ?36, ?37, ?38, \
         ?39, ?40, ?41, ?42, ?43, ?44)";

const UPDATE_JOB: &str = "UPDATE jobs \
    SET state = ?2, mixed = ?3, held = ?4, started_us = ?5, ended_us = ?6, \
         attempts = ?7, last_allocation = ?8, charged_micro = ?9, wall_us = ?10, cpu_us = ?11, \
         memory_peak_bytes = ?12, exit_code = ?13, signal = ?14, tasks_pending = ?15, \
         tasks_configuring = ?16, tasks_running = ?17, tasks_completing = ?18, \
         tasks_completed = ?19, tasks_failed = ?20, tasks_timeout = ?21, tasks_cancelled = ?22, \
         tasks_node_fail = ?23, tasks_preempted = ?24, tasks_out_of_memory = ?25, \
         tasks_deadline = ?26, preempted_by = ?27 WHERE id = ?1";

const PUT_ATTEMPT: &str = "INSERT INTO attempts \
    (allocation, job, task, state, cluster, partition, flavor, \
         nodes, cpus_per_node, memory_mib_per_node, gpus_per_node, time_limit_s, \
         predicted_start_us, predicted_start_latest_us, predicted_stage_s, predicted_run_s, \
         predicted_cost_micro, placed_seq, placed_us, staging_seq, staging_us, started_seq, \
         started_us, ended_seq, ended_us, stopping, charged_micro, \"end\", exit_code, signal, \
         payload, requeued, wall_us, cpu_us, memory_peak_bytes, message, transfer, explanation, \
         preempted_by, predicted_out_s) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, \
         ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34, \
         ?35, ?36, ?37, ?38, ?39, ?40) ON CONFLICT (allocation) \
         DO UPDATE SET state = excluded.state, \
         staging_seq = excluded.staging_seq, staging_us = excluded.staging_us, \
         started_seq = excluded.started_seq, started_us = excluded.started_us, \
         ended_seq = excluded.ended_seq, ended_us = excluded.ended_us, \
         stopping = excluded.stopping, charged_micro = excluded.charged_micro, \
         \"end\" = excluded.\"end\", exit_code = excluded.exit_code, signal = excluded.signal, \
         payload = excluded.payload, requeued = excluded.requeued, wall_us = excluded.wall_us, \
         cpu_us = excluded.cpu_us, memory_peak_bytes = excluded.memory_peak_bytes, \
         message = excluded.message, preempted_by = excluded.preempted_by";

pub(crate) fn unsigned(row: &Row<'_>, at: usize) -> Result<u64> {
    row.get::<_, i64>(at).map(i64::cast_unsigned)
}

fn job_id(row: &Row<'_>, at: usize) -> Result<Option<JobId>> {
    row.get::<_, Option<i64>>(at).map(|id| id.map(|id| JobId(id.cast_unsigned())))
}

fn time(row: &Row<'_>, at: usize) -> Result<Option<Timestamp>> {
    row.get::<_, Option<i64>>(at).map(|time| time.map(Timestamp))
}

fn tres(row: &Row<'_>, at: usize) -> Result<Tres> {
    Ok(Tres {
        cpus: row.get(at)?,
        memory: Mebibytes::new(unsigned(row, at + 1)?),
        gpus: row.get(at + 2)?,
    })
}

fn words(text: &str) -> Vec<String> {
    text.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// A value that is stored as text and was written by this program.
fn parsed<T>(at: usize, parse: impl FnOnce(&str) -> Option<T>, text: &str) -> Result<T> {
    parse(text).ok_or_else(|| {
        let what = format!("`{text}` is not a word of the views");
        rusqlite::Error::FromSqlConversionFailure(at, rusqlite::types::Type::Text, what.into())
    })
}

pub(crate) fn job_of(row: &Row<'_>) -> Result<JobRow> {
    let array: Option<String> = row.get(2)?;
    let array = array.map(|text| parsed(2, |text| text.parse().ok(), &text)).transpose()?;
    let mut columns = [0; JobState::ALL.len()];
    for (at, column) in columns.iter_mut().enumerate() {
        *column = unsigned(row, 29 + at)?;
    }
    Ok(JobRow {
        id: JobId(unsigned(row, 0)?),
        tasks: unsigned(row, 1)?,
        array,
        name: row.get(3)?,
        user: row.get(4)?,
        project: row.get(5)?,
        hold: if row.get(6)? { Hold::User } else { Hold::None },
        submitted_seq: unsigned(row, 7)?,
        submitted_place: row.get(8)?,
        submitted_at: Timestamp(row.get(9)?),
        begin: time(row, 10)?,
        deadline: time(row, 11)?,
        started_at: time(row, 12)?,
        ended_at: time(row, 13)?,
        nodes: row.get(14)?,
        per_node: tres(row, 15)?,
        time_limit_s: row.get(18)?,
        partitions: words(row.get_ref(19)?.as_str()?),
        dependency: row.get(20)?,
        attempts: unsigned(row, 21)?,
        last_allocation: row.get::<_, Option<i64>>(22)?.map(|id| AllocationId(id.cast_unsigned())),
        charged: MicroCredits(row.get(23)?),
        usage: usage(row, 24)?,
        exit_code: row.get(27)?,
        signal: row.get(28)?,
        counts: StateCounts::from_columns(columns),
        preempted_by: job_id(row, 29 + JobState::ALL.len())?,
    })
}

fn usage(row: &Row<'_>, at: usize) -> Result<Usage> {
    Ok(Usage {
        wall_us: unsigned(row, at)?,
        cpu_us: unsigned(row, at + 1)?,
        memory_peak_bytes: unsigned(row, at + 2)?,
    })
}

pub(crate) fn find_job(connection: &Connection, id: JobId) -> Result<Option<JobRow>> {
    connection
        .prepare_cached(&format!("SELECT {JOB_COLUMNS} FROM jobs WHERE id = ?1"))?
        .query_row([id.0.cast_signed()], job_of)
        .optional()
}

pub(crate) fn insert_job(connection: &Connection, job: &JobRow) -> Result<()> {
    let counts = job.counts.columns();
    let count = |state: JobState| counts[state as usize].cast_signed();
    connection.prepare_cached(INSERT_JOB)?.execute(params![
        job.id.0.cast_signed(),
        job.tasks.cast_signed(),
        job.array.as_ref().map(ToString::to_string),
        job.name,
        job.user,
        job.project,
        job.state().name(),
        job.counts.iter().count() > 1,
        job.hold == Hold::User,
        job.submitted_seq.cast_signed(),
        job.submitted_place,
        job.submitted_at.0,
        job.begin.map(|at| at.0),
        job.deadline.map(|at| at.0),
        job.started_at.map(|at| at.0),
        job.ended_at.map(|at| at.0),
        job.nodes,
        job.per_node.cpus,
        job.per_node.memory.get().cast_signed(),
        job.per_node.gpus,
        job.time_limit_s,
        job.partitions.join(","),
        job.dependency,
        job.attempts.cast_signed(),
        job.last_allocation.map(|id| id.0.cast_signed()),
        job.charged.0,
        job.usage.wall_us.cast_signed(),
        job.usage.cpu_us.cast_signed(),
        job.usage.memory_peak_bytes.cast_signed(),
        job.exit_code,
        job.signal,
        count(JobState::Pending),
        count(JobState::Configuring),
        count(JobState::Running),
        count(JobState::Completing),
        count(JobState::Completed),
        count(JobState::Failed),
        count(JobState::Timeout),
        count(JobState::Cancelled),
        count(JobState::NodeFail),
        count(JobState::Preempted),
        count(JobState::OutOfMemory),
        count(JobState::Deadline),
        job.preempted_by.map(|id| id.0.cast_signed()),
    ])?;
    Ok(())
}

/// Writes what changes in the life of a job.
pub(crate) fn update_job(connection: &Connection, job: &JobRow) -> Result<()> {
    let counts = job.counts.columns();
    let count = |state: JobState| counts[state as usize].cast_signed();
    connection.prepare_cached(UPDATE_JOB)?.execute(params![
        job.id.0.cast_signed(),
        job.state().name(),
        job.counts.iter().count() > 1,
        job.hold == Hold::User,
        job.started_at.map(|at| at.0),
        job.ended_at.map(|at| at.0),
        job.attempts.cast_signed(),
        job.last_allocation.map(|id| id.0.cast_signed()),
        job.charged.0,
        job.usage.wall_us.cast_signed(),
        job.usage.cpu_us.cast_signed(),
        job.usage.memory_peak_bytes.cast_signed(),
        job.exit_code,
        job.signal,
        count(JobState::Pending),
        count(JobState::Configuring),
        count(JobState::Running),
        count(JobState::Completing),
        count(JobState::Completed),
        count(JobState::Failed),
        count(JobState::Timeout),
        count(JobState::Cancelled),
        count(JobState::NodeFail),
        count(JobState::Preempted),
        count(JobState::OutOfMemory),
        count(JobState::Deadline),
        job.preempted_by.map(|id| id.0.cast_signed()),
    ])?;
    Ok(())
}

pub(crate) fn attempt_of(row: &Row<'_>) -> Result<AttemptRow> {
    Ok(AttemptRow {
        allocation: AllocationId(unsigned(row, 0)?),
        job: JobId(unsigned(row, 1)?),
        index: row.get(2)?,
        state: parsed(3, AttemptState::from_name, row.get_ref(3)?.as_str()?)?,
        cluster: ClusterId(row.get(4)?),
        cluster_name: row.get(5)?,
        site: row.get(6)?,
        partition: row.get(7)?,
        flavor: row.get(8)?,
        nodes: words(row.get_ref(9)?.as_str()?),
        per_node: tres(row, 10)?,
        time_limit_s: row.get(13)?,
        prediction: Prediction {
            start: Timestamp(row.get(14)?),
            start_latest: Timestamp(row.get(15)?),
            stage: Seconds(unsigned(row, 16)?),
            run: Seconds(unsigned(row, 17)?),
            out: Seconds(unsigned(row, 41)?),
            cost: MicroCredits(row.get(18)?),
        },
        placed: Moment { seq: unsigned(row, 19)?, at: Timestamp(row.get(20)?) },
        staging: moment(row, 21)?,
        started: moment(row, 23)?,
        ended: moment(row, 25)?,
        stopping: row.get(27)?,
        charged: MicroCredits(row.get(28)?),
        end: end_of(row, 29)?,
        payload: match row.get_ref(32)?.as_str_or_null()? {
            Some("started") => Some(PayloadReach::Started),
            Some(_) => Some(PayloadReach::NeverStarted),
            None => None,
        },
        requeued: if row.get(33)? { Requeued::Yes } else { Requeued::No },
        usage: usage(row, 34)?,
        message: row.get(37)?,
        transfer: unsigned(row, 38)?,
        explanation: row.get(39)?,
        preempted_by: job_id(row, 40)?,
    })
}

fn moment(row: &Row<'_>, at: usize) -> Result<Option<Moment>> {
    let Some(seq) = row.get::<_, Option<i64>>(at)? else { return Ok(None) };
    Ok(Some(Moment { seq: seq.cast_unsigned(), at: Timestamp(row.get(at + 1)?) }))
}

fn end_of(row: &Row<'_>, at: usize) -> Result<Option<End>> {
    Ok(match row.get_ref(at)?.as_str_or_null()? {
        None | Some("refused") => None,
        Some("exited") => Some(End::Exited { code: row.get(at + 1)? }),
        Some("signalled") => Some(End::Signalled { signal: row.get(at + 2)? }),
        Some("timed_out") => Some(End::TimedOut),
        Some("cancelled") => Some(End::Cancelled),
        Some("out_of_memory") => Some(End::OutOfMemory),
        Some("lost") => Some(End::Lost),
        Some("start_failed") => Some(End::StartFailed),
        Some(other) => return parsed(at, |_| None, other),
    })
}

fn end_word(attempt: &AttemptRow) -> Option<&'static str> {
    if attempt.state == AttemptState::Refused {
        return Some("refused");
    }
    attempt.end.map(|end| match end {
        End::Exited { .. } => "exited",
        End::Signalled { .. } => "signalled",
        End::TimedOut => "timed_out",
        End::Cancelled => "cancelled",
        End::OutOfMemory => "out_of_memory",
        End::Lost => "lost",
        End::StartFailed => "start_failed",
    })
}

pub(crate) fn find_attempt(
    connection: &Connection,
    id: AllocationId,
) -> Result<Option<AttemptRow>> {
    let sql = format!(
        "SELECT {ATTEMPT_COLUMNS} FROM attempts a JOIN clusters c ON c.id = a.cluster \
         WHERE a.allocation = ?1"
    );
    connection.prepare_cached(&sql)?.query_row([id.0.cast_signed()], attempt_of).optional()
}

/// Writes a new attempt, or what changes in the life of one.
pub(crate) fn put_attempt(connection: &Connection, attempt: &AttemptRow) -> Result<()> {
    let moment = |moment: Option<Moment>| {
        (moment.map(|moment| moment.seq.cast_signed()), moment.map(|moment| moment.at.0))
    };
    let (staging, started, ended) =
        (moment(attempt.staging), moment(attempt.started), moment(attempt.ended));
    let (code, signal) = match attempt.end {
        Some(End::Exited { code }) => (Some(code), None),
        Some(End::Signalled { signal }) => (None, Some(signal)),
        _ => (None, None),
    };
    let payload = attempt.payload.map(|payload| match payload {
        PayloadReach::Started => "started",
        PayloadReach::NeverStarted => "never_started",
    });
    connection.prepare_cached(PUT_ATTEMPT)?.execute(params![
        attempt.allocation.0.cast_signed(),
        attempt.job.0.cast_signed(),
        attempt.index,
        attempt.state.name(),
        attempt.cluster.0,
        attempt.partition,
        attempt.flavor,
        attempt.nodes.join(","),
        attempt.per_node.cpus,
        attempt.per_node.memory.get().cast_signed(),
        attempt.per_node.gpus,
        attempt.time_limit_s,
        attempt.prediction.start.0,
        attempt.prediction.start_latest.0,
        attempt.prediction.stage.0.cast_signed(),
        attempt.prediction.run.0.cast_signed(),
        attempt.prediction.cost.0,
        attempt.placed.seq.cast_signed(),
        attempt.placed.at.0,
        staging.0,
        staging.1,
        started.0,
        started.1,
        ended.0,
        ended.1,
        attempt.stopping,
        attempt.charged.0,
        end_word(attempt),
        code,
        signal,
        payload,
        attempt.requeued == Requeued::Yes,
        attempt.usage.wall_us.cast_signed(),
        attempt.usage.cpu_us.cast_signed(),
        attempt.usage.memory_peak_bytes.cast_signed(),
        attempt.message,
        attempt.transfer.cast_signed(),
        attempt.explanation,
        attempt.preempted_by.map(|id| id.0.cast_signed()),
        attempt.prediction.out.0.cast_signed(),
    ])?;
    Ok(())
}

fn account_key(id: &AccountId) -> (&'static str, &str) {
    match id {
        AccountId::Project(name) => ("project", name),
        AccountId::Cluster(name) => ("cluster", name),
    }
}

pub(crate) fn find_account(connection: &Connection, id: &AccountId) -> Result<Account> {
    let (kind, name) = account_key(id);
    let found = connection
        .prepare_cached(
            "SELECT debits_pending_micro, debits_posted_micro, credits_pending_micro,
                    credits_posted_micro FROM ledger_accounts WHERE kind = ?1 AND name = ?2",
        )?
        .query_row([kind, name], |row| {
            Ok(Account {
                debits_pending: row.get(0)?,
                debits_posted: row.get(1)?,
                credits_pending: row.get(2)?,
                credits_posted: row.get(3)?,
            })
        })
        .optional()?;
    Ok(found.unwrap_or_default())
}

pub(crate) fn put_account(connection: &Connection, id: &AccountId, sums: &Account) -> Result<()> {
    let (kind, name) = account_key(id);
    connection
        .prepare_cached("INSERT OR REPLACE INTO ledger_accounts VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
        .execute(params![
            kind,
            name,
            sums.debits_pending,
            sums.debits_posted,
            sums.credits_pending,
            sums.credits_posted
        ])?;
    Ok(())
}
