//! A part of a log, by the time of submission.

use super::job::Workload;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// From when to when, seconds after 1970-01-01 UTC; the end is not in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// The first moment.
    pub since: Option<i64>,
    /// The moment after the last.
    pub until: Option<i64>,
}

/// How a moment is written.
pub const A_MOMENT: &str = "a date such as 2026-11-17, or a time such as 2026-11-17T09:30:00";

impl Window {
    /// Reads a moment: a date is its midnight.
    #[must_use]
    pub fn moment(text: &str, zone: &TimeZone) -> Option<i64> {
        let time = text.parse::<DateTime>().ok()?;
        time.to_zoned(zone.clone()).ok().map(|time| time.timestamp().as_second())
    }

    /// Whether it leaves nothing out.
    #[must_use]
    pub fn is_open(&self) -> bool {
        *self == Window::default()
    }

    /// Takes away what is outside, and answers how many jobs that were; `None` if the log does not
    /// say when it begins.
    pub fn apply(&self, workload: &mut Workload) -> Option<u64> {
        let begins = workload.begins?;
        let before = workload.jobs.len();
        workload.jobs.retain(|job| {
            let at = begins.saturating_add_unsigned(job.submit_s);
            self.since.is_none_or(|since| at >= since) && self.until.is_none_or(|until| at < until)
        });
        workload.settle();
        Some((before - workload.jobs.len()) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::job::Job;

    #[test]
    fn a_day_is_cut_out() {
        let jobs = [0, 40_000, 90_000, 180_000].map(|at| Job::bare(at, at, 1, 1)).to_vec();
        let mut workload = Workload { jobs, begins: Some(0), ..Workload::default() };
        let at = |text| Window::moment(text, &TimeZone::UTC);
        let window = Window { since: at("1970-01-01T10:00:00"), until: at("1970-01-03") };
        assert_eq!(window.apply(&mut workload), Some(2));
        let left: Vec<u64> = workload.jobs.iter().map(|job| job.submit_s).collect();
        assert_eq!((left, workload.begins), (vec![0, 50_000], Some(40_000)));
        assert_eq!(at("yesterday"), None);
        assert_eq!(window.apply(&mut Workload::default()), None);
    }
}
