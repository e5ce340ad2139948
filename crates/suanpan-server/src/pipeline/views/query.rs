//! Questions to the views. Lists come newest first, in pages: the next page begins where the last
//! one ended, so that it neither repeats nor skips what is there meanwhile.

use anyhow::Result;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};
use suanpan_engine::event::{Event, SubmittedJob};
use suanpan_engine::sequencer::Record;
use suanpan_journal::Reader;
use suanpan_ledger::{Account, AccountId};
use suanpan_model::id::{AllocationId, JobId};
use suanpan_model::index_set::IndexSet;
use suanpan_model::job::JobState;
use suanpan_model::time::Timestamp;
use suanpan_sched::reason::Explanation;

use super::Views;
use super::rows::{
    AccountRow, AttemptRow, AttemptState, Found, JobEvent, JobRow, StateCounts, state_from_name,
};
use super::sql::{ATTEMPT_COLUMNS, JOB_COLUMNS, attempt_of, job_of, unsigned};

/// Most rows of one page.
pub const PAGE_MAX: u32 = 10_000;

/// Which jobs are wanted; empty lists and `None` mean all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobQuery {
    /// Of any of these users.
    pub users: Vec<String>,
    /// Of any of these projects.
    pub projects: Vec<String>,
    /// Of any of these names.
    pub names: Vec<String>,
    /// With at least one task in any of these states.
    pub states: Vec<JobState>,
    /// Submitted at or after.
    pub submitted_from: Option<Timestamp>,
    /// Submitted before.
    pub submitted_until: Option<Timestamp>,
    /// Live at some moment from here on: not over before it.
    pub ended_from: Option<Timestamp>,
    /// With an id below this: where the page before ended.
    pub below: Option<JobId>,
    /// Most rows; 0 means 100, and more than [`PAGE_MAX`] means that.
    pub limit: u32,
}

/// Which attempts of a job are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttemptQuery {
    /// Of this array task.
    pub index: Option<u32>,
    /// In any of these states; empty means all.
    pub states: Vec<AttemptState>,
    /// With an allocation id below this: where the page before ended.
    pub below: Option<AllocationId>,
    /// As in [`JobQuery::limit`].
    pub limit: u32,
}

/// Some rows of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// What to give as `below` (or `after`) for the next page; `None` on the last one.
    pub next: Option<u64>,
}

impl<T> Page<T> {
    fn of(mut rows: Vec<T>, limit: u32, key: impl Fn(&T) -> u64) -> Page<T> {
        // One row more than wanted was asked for, to know whether there is a next page.
        let next = (rows.len() > limit as usize).then(|| {
            rows.truncate(limit as usize);
            rows.last().map(key)
        });
        Page { rows, next: next.flatten() }
    }
}

/// A condition with its values.
#[derive(Default)]
struct Filter {
    sql: String,
    values: Vec<Value>,
}

impl Filter {
    fn and(&mut self, condition: &str, values: impl IntoIterator<Item = Value>) {
        self.sql.push_str(" AND ");
        self.sql.push_str(condition);
        self.values.extend(values);
    }

    fn and_any(&mut self, column: &str, words: &[String]) {
        if words.is_empty() {
            return;
        }
        let condition = format!("{column} IN ({})", marks(words.len()));
        self.and(&condition, words.iter().map(|word| Value::Text(word.clone())));
    }

    fn and_time(&mut self, condition: &str, at: Option<Timestamp>) {
        if let Some(at) = at {
            self.and(condition, [Value::Integer(at.0)]);
        }
    }
}

fn marks(count: usize) -> String {
    let mut marks = "?,".repeat(count);
    marks.pop();
    marks
}

fn limited(limit: u32) -> u32 {
    match limit {
        0 => 100,
        limit => limit.min(PAGE_MAX),
    }
}

impl JobQuery {
    fn filter(&self) -> Filter {
        let mut filter = Filter::default();
        filter.and_any("user", &self.users);
        filter.and_any("project", &self.projects);
        filter.and_any("name", &self.names);
        filter.and_time("submitted_us >= ?", self.submitted_from);
        filter.and_time("submitted_us < ?", self.submitted_until);
        filter.and_time("coalesce(ended_us, 9223372036854775807) >= ?", self.ended_from);
        if let Some(below) = self.below {
            filter.and("id < ?", [Value::Integer(below.0.cast_signed())]);
        }
        filter
    }

    /// The statement for one page. States are looked up one by one, each newest first and cut at
    /// the page's length, since the planner cannot know which are rare.
    fn statement(&self, limit: u32) -> (String, Vec<Value>) {
        let Filter { sql, values } = self.filter();
        let more = limit + 1;
        let part = |condition: &str| {
            format!(
                "SELECT * FROM (SELECT {JOB_COLUMNS} FROM jobs WHERE {condition}{sql} \
                 ORDER BY id DESC LIMIT {more})"
            )
        };
        if self.states.is_empty() {
            return (part("1"), values);
        }
        let mut parts = Vec::new();
        let mut all_values = Vec::new();
        for state in &self.states {
            parts.push(part(&format!("mixed = 0 AND state = '{}'", state.name())));
            all_values.extend(values.iter().cloned());
        }
        let any: Vec<String> =
            self.states.iter().map(|state| format!("{} > 0", column(*state))).collect();
        parts.push(part(&format!("mixed = 1 AND ({})", any.join(" OR "))));
        all_values.extend(values);
        let union = parts.join(" UNION ALL ");
        (format!("{union} ORDER BY id DESC LIMIT {more}"), all_values)
    }
}

/// The column that counts tasks in a state.
fn column(state: JobState) -> &'static str {
    match state {
        JobState::Pending => "tasks_pending",
        JobState::Configuring => "tasks_configuring",
        JobState::Running => "tasks_running",
        JobState::Completing => "tasks_completing",
        JobState::Completed => "tasks_completed",
        JobState::Failed => "tasks_failed",
        JobState::Timeout => "tasks_timeout",
        JobState::Cancelled => "tasks_cancelled",
        JobState::NodeFail => "tasks_node_fail",
        JobState::Preempted => "tasks_preempted",
        JobState::OutOfMemory => "tasks_out_of_memory",
        JobState::Deadline => "tasks_deadline",
    }
}

impl Views {
    /// Jobs, newest first.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn jobs(&self, query: &JobQuery) -> Result<Page<JobRow>> {
        let limit = limited(query.limit);
        let (sql, values) = query.statement(limit);
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            let rows = statement.query_map(params_from_iter(values), job_of)?;
            Ok(Page::of(rows.collect::<Result<_, _>>()?, limit, |job| job.id.0))
        })
    }

    /// Jobs over or live since `query.ended_from`, newest first: the accounting's list. The same as
    /// [`Views::jobs`], each job with its newest attempt.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn history(&self, query: &JobQuery) -> Result<Page<(JobRow, Option<AttemptRow>)>> {
        let page = self.jobs(query)?;
        let rows = self.read(|connection| {
            page.rows
                .into_iter()
                .map(|job| {
                    let attempt = job.last_allocation.map(|id| attempt(connection, id));
                    Ok((job, attempt.transpose()?.flatten()))
                })
                .collect::<Result<Vec<_>>>()
        })?;
        Ok(Page { rows, next: page.next })
    }

    /// The job an id means: its own, or that of one of its array tasks.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn job(&self, id: JobId) -> Result<Option<Found>> {
        let sql = format!("SELECT {JOB_COLUMNS} FROM jobs WHERE id <= ?1 ORDER BY id DESC LIMIT 1");
        let found = self.read(|connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            Ok(statement.query_row([id.0.cast_signed()], job_of).optional()?)
        })?;
        Ok(found.filter(|job| id.0 < job.id.0 + job.tasks).map(|job| {
            let index = if id == job.id { None } else { job.index_of(id) };
            Found { job, index }
        }))
    }

    /// What was submitted as this job, from the journal. Costs the decoding of its record.
    ///
    /// # Errors
    /// Where the journal cannot be read.
    pub fn submitted(&self, job: &JobRow) -> Result<Option<SubmittedJob>> {
        let mut record = None;
        Reader::open(&self.dir)?.read_from(job.submitted_seq - 1, |stored| {
            record = Some(Record::decode(stored.seq, &stored.body));
            std::ops::ControlFlow::Break(())
        })?;
        let Some(record) = record.transpose()? else { return Ok(None) };
        let jobs = record.events.into_iter().find_map(|event| match event {
            Event::JobsSubmitted { jobs, .. } => Some(jobs),
            _ => None,
        });
        Ok(jobs.and_then(|jobs| jobs.into_iter().nth(job.submitted_place as usize)))
    }

    /// Attempts of a job, newest first.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn attempts(&self, job: JobId, query: &AttemptQuery) -> Result<Page<AttemptRow>> {
        let limit = limited(query.limit);
        let mut filter = Filter::default();
        filter.and("a.job = ?", [Value::Integer(job.0.cast_signed())]);
        if let Some(index) = query.index {
            filter.and("a.task = ?", [Value::Integer(index.into())]);
        }
        if let Some(below) = query.below {
            filter.and("a.allocation < ?", [Value::Integer(below.0.cast_signed())]);
        }
        let states: Vec<String> =
            query.states.iter().map(|state| state.name().to_owned()).collect();
        filter.and_any("a.state", &states);
        let sql = format!(
            "SELECT {ATTEMPT_COLUMNS} FROM attempts a JOIN clusters c ON c.id = a.cluster \
             WHERE 1{} ORDER BY a.allocation DESC LIMIT {}",
            filter.sql,
            limit + 1
        );
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            let rows = statement.query_map(params_from_iter(filter.values), attempt_of)?;
            Ok(Page::of(rows.collect::<Result<_, _>>()?, limit, |attempt| attempt.allocation.0))
        })
    }

    /// One attempt.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn attempt(&self, id: AllocationId) -> Result<Option<AttemptRow>> {
        self.read(|connection| attempt(connection, id))
    }

    /// State of one array task, as far as the views know it.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn task_state(&self, job: &JobRow, index: u32) -> Result<JobState> {
        let newest = AttemptQuery { index: Some(index), limit: 1, ..AttemptQuery::default() };
        if let Some(attempt) = self.attempts(job.id, &newest)?.rows.pop()
            && attempt.requeued == super::rows::Requeued::No
            && let AttemptState::Job(state) = attempt.state
        {
            return Ok(state);
        }
        let Some(position) = job.array.as_ref().and_then(|array| array.position(index)) else {
            return Ok(job.state());
        };
        let ended = self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT detail ->> 'state', detail ->> 'positions' FROM job_notes
                 WHERE job = ?1 AND kind = 'tasks_ended'",
            )?;
            let rows = statement.query_map([job.id.0.cast_signed()], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
            })?;
            Ok(rows.collect::<Result<Vec<_>, _>>()?)
        })?;
        let position = u32::try_from(position).expect("arrays have at most 10 M tasks");
        let state = ended.into_iter().find_map(|(state, positions)| {
            let positions: IndexSet = positions.parse().ok()?;
            positions.contains(position).then(|| state_from_name(&state)).flatten()
        });
        Ok(state.unwrap_or(JobState::Pending))
    }

    /// What happened to a job after record `after`, oldest first. For an array, what happened to
    /// its single tasks is told only for one `index`.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn events(
        &self,
        job: &JobRow,
        index: Option<u32>,
        after: u64,
        limit: u32,
    ) -> Result<Page<JobEvent>> {
        let limit = limited(limit);
        let (source, index) = match (&job.array, index) {
            (Some(_), Some(index)) => ("(task IS NULL OR task = ?3)", Some(index)),
            (Some(_), None) => ("task IS NULL AND ?3 IS NULL", None),
            (None, _) => ("?3 IS NULL", None),
        };
        let sql = format!(
            "SELECT seq, task, at_us, kind, detail FROM job_events \
             WHERE job = ?1 AND seq > ?2 AND {source} ORDER BY seq, place LIMIT {limit}"
        );
        let rows = self.read(|connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            let id = job.id;
            let values = params![id.0.cast_signed(), after.cast_signed(), index];
            let rows = statement.query_map(values, |row| {
                let detail: String = row.get(4)?;
                Ok(JobEvent {
                    seq: unsigned(row, 0)?,
                    job: id,
                    index: row.get(1)?,
                    at: Timestamp(row.get(2)?),
                    kind: row.get(3)?,
                    detail: serde_json::from_str(&detail).unwrap_or_default(),
                })
            })?;
            Ok(rows.collect::<Result<Vec<_>, _>>()?)
        })?;
        let is_full = rows.len() == limit as usize;
        let next = if is_full { rows.last().map(|event| event.seq) } else { None };
        Ok(Page { rows, next })
    }

    /// Why an attempt was placed where it is.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn explanation(&self, attempt: &AttemptRow) -> Result<Option<Explanation>> {
        let text: Option<String> = self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT explanation FROM explanations WHERE seq = ?1 AND place = ?2",
            )?;
            let key = params![attempt.placed.seq.cast_signed(), attempt.explanation];
            Ok(statement.query_row(key, |row| row.get(0)).optional()?)
        })?;
        Ok(text.map(|text| serde_json::from_str(&text)).transpose()?)
    }

    /// Tasks by state over all jobs that `query` means, its paging aside.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn counts(&self, query: &JobQuery) -> Result<StateCounts> {
        let filter = JobQuery { below: None, ..query.clone() }.filter();
        let sums: Vec<String> =
            JobState::ALL.iter().map(|state| format!("total({})", column(*state))).collect();
        let sql = format!("SELECT {} FROM jobs WHERE 1{}", sums.join(", "), filter.sql);
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            let counts = statement.query_row(params_from_iter(filter.values), |row| {
                let mut columns = [0; JobState::ALL.len()];
                for (at, column) in columns.iter_mut().enumerate() {
                    *column = row.get::<_, f64>(at)? as u64;
                }
                Ok(StateCounts::from_columns(columns))
            })?;
            Ok(counts)
        })
    }

    /// All ledger accounts with their sums.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn accounts(&self) -> Result<Vec<AccountRow>> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT kind, name, debits_pending_micro, debits_posted_micro,
                        credits_pending_micro, credits_posted_micro
                 FROM ledger_accounts ORDER BY kind, name",
            )?;
            let rows = statement.query_map([], |row| {
                let kind: String = row.get(0)?;
                let name = row.get(1)?;
                let id = match kind.as_str() {
                    "project" => AccountId::Project(name),
                    _ => AccountId::Cluster(name),
                };
                let sums = Account {
                    debits_pending: row.get(2)?,
                    debits_posted: row.get(3)?,
                    credits_pending: row.get(4)?,
                    credits_posted: row.get(5)?,
                };
                Ok(AccountRow { id, sums })
            })?;
            Ok(rows.collect::<Result<Vec<_>, _>>()?)
        })
    }
}

fn attempt(connection: &Connection, id: AllocationId) -> Result<Option<AttemptRow>> {
    Ok(super::sql::find_attempt(connection, id)?)
}
