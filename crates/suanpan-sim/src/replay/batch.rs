//! A workload at one batch site.

use crate::workload::swf::SwfJob;
use suanpan_model::time::{Seconds, Timestamp};
use suanpan_site::model::batch::{
    BatchJob, BatchSettings, BatchSite, RunTimes, StartEstimate, StartPredictor, What,
};

/// A job and when it is submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// When, in seconds from the start of the workload.
    pub submit: i64,
    /// The number that the workload has for it.
    pub number: i64,
    /// What is submitted; its id is replaced by the place in the workload.
    pub job: BatchJob,
}

/// What became of a job; times are in seconds from the start of the workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobRow {
    /// The number that the workload has for it.
    pub number: i64,
    /// Who submitted it.
    pub user: u32,
    /// Processors it used.
    pub processors: u32,
    /// When it was submitted.
    pub submit: i64,
    /// When it started.
    pub start: i64,
    /// When it ended.
    pub end: i64,
    /// The time its user asked for.
    pub requested: u64,
    /// How long it was expected to run when it started.
    pub expected: u64,
}

impl JobRow {
    /// Time from submission to start, in seconds.
    #[must_use]
    pub fn wait(&self) -> i64 {
        self.start - self.submit
    }

    /// Time from start to end, in seconds.
    #[must_use]
    pub fn run(&self) -> i64 {
        self.end - self.start
    }
}

/// What became of a workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// A row for each job that ran, in the order of the workload.
    pub rows: Vec<JobRow>,
    /// Places in the workload of jobs that the site refused: wider than the machine.
    pub refused: Vec<usize>,
    /// Of each row, when the job was expected to start, if that was asked when it was submitted.
    /// Empty if it never was.
    pub said: Vec<Option<StartEstimate>>,
}

/// A log's job as it is submitted; `None` if the log does not say how long it ran or on how many
/// processors. A job without requested time is taken to have asked for the time that it ran.
#[must_use]
pub fn arrival(job: &SwfJob) -> Option<Arrival> {
    // Numbers of names begin at 0 in some logs, and unknown is a name too.
    let name = |number: Option<u32>| number.map_or(0, |number| number.saturating_add(1));
    let run = job.run?;
    let job = Arrival {
        submit: job.submit,
        number: job.number,
        job: BatchJob {
            id: 0,
            user: name(job.user),
            group: name(job.group),
            name: name(job.executable),
            queue: name(job.queue),
            processors: job.processors()?,
            requested: Seconds(job.requested_time.unwrap_or(run.max(1))),
            run: Some(Seconds(run)),
        },
    };
    Some(job)
}

/// Runs a workload, sorted by submit time, at an empty site until nothing waits or runs.
#[must_use]
pub fn replay(arrivals: &[Arrival], settings: BatchSettings, run_times: RunTimes) -> Replayed {
    run(arrivals, settings, run_times, None)
}

/// The same, and when each `every`th job is submitted, a model of the site in the state that is
/// visible then says when it would start. What it knows of run times and waits it has learnt from
/// ends and starts before that moment.
#[must_use]
pub fn replay_graded(
    arrivals: &[Arrival],
    settings: BatchSettings,
    run_times: RunTimes,
    every: usize,
) -> Replayed {
    let said = vec![None; arrivals.len()];
    let grading = Grading { every: every.max(1), predictor: StartPredictor::new(settings), said };
    run(arrivals, settings, run_times, Some(grading))
}

/// A job that has not ended.
const NEVER: i64 = i64::MIN;

/// What is asked about starts on the way.
struct Grading {
    every: usize,
    predictor: StartPredictor,
    said: Vec<Option<StartEstimate>>,
}

impl Grading {
    fn ask(&mut self, site: &mut BatchSite, place: usize, arrival: &Arrival) {
        if place.is_multiple_of(self.every) {
            let visible = site.visible(instant(arrival.submit));
            // Of a job that never fits nothing is said; the site refuses it.
            self.said[place] = self.predictor.predict(&visible, &arrival.job).ok();
        }
    }

    fn started(&mut self, place: usize, row: &JobRow) {
        if let Some(said) = &self.said[place] {
            self.predictor.started(said, instant(row.submit), instant(row.start));
        }
    }
}

fn run(
    arrivals: &[Arrival],
    settings: BatchSettings,
    run_times: RunTimes,
    mut grading: Option<Grading>,
) -> Replayed {
    let begin = arrivals.first().map_or(0, |first| first.submit);
    let mut site = BatchSite::new(instant(begin), settings, run_times);
    let mut rows: Vec<JobRow> = arrivals.iter().map(row).collect();
    let mut refused = Vec::new();
    for (place, arrival) in arrivals.iter().enumerate() {
        if let Some(grading) = &mut grading {
            // What ended or started on the way to this moment is known when it is asked about.
            site.arrive_at(instant(arrival.submit));
            note(&mut site, &mut rows, arrivals, Some(grading));
            grading.ask(&mut site, place, arrival);
        }
        let job = BatchJob { id: place as u64, ..arrival.job };
        if site.submit(instant(arrival.submit), job).is_err() {
            refused.push(place);
        }
        note(&mut site, &mut rows, arrivals, grading.as_mut());
    }
    site.run_to_end();
    note(&mut site, &mut rows, arrivals, grading.as_mut());
    let mut said = grading.map(|grading| grading.said).unwrap_or_default();
    let mut places = rows.iter();
    said.retain(|_| places.next().is_some_and(|row| row.end != NEVER));
    rows.retain(|row| row.end != NEVER);
    Replayed { rows, refused, said }
}

fn note(
    site: &mut BatchSite,
    rows: &mut [JobRow],
    arrivals: &[Arrival],
    mut grading: Option<&mut Grading>,
) {
    for happened in site.take_happened() {
        let place = happened.id as usize;
        let row = &mut rows[place];
        let at = happened.at.0 / MICROS;
        match happened.what {
            What::Started { expected } => {
                (row.start, row.expected) = (at, expected.0);
                if let Some(grading) = &mut grading {
                    grading.started(place, row);
                }
            }
            What::Ended => {
                row.end = at;
                if let Some(grading) = &mut grading {
                    let ran = Seconds(row.run().unsigned_abs());
                    grading.predictor.ended(&arrivals[place].job, ran);
                }
            }
        }
    }
}

fn row(arrival: &Arrival) -> JobRow {
    let Arrival { submit, number, job } = *arrival;
    JobRow {
        number,
        user: job.user,
        processors: job.processors,
        submit,
        start: NEVER,
        end: NEVER,
        requested: job.requested.0,
        expected: 0,
    }
}

const MICROS: i64 = 1_000_000;

fn instant(second: i64) -> Timestamp {
    Timestamp(second.saturating_mul(MICROS))
}
