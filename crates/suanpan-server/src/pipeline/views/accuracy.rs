//! How well what was foretold at placement came true, cluster by cluster.

use super::Views;
use anyhow::Result;
use std::collections::BTreeMap;

/// Latest attempts of the network that are looked at: enough for steady figures, few enough to be
/// read in a fraction of a second.
const LATEST: u32 = 10_000;

/// By how much a start may lie outside its interval, because intervals are in whole seconds.
const TOLERANCE_US: i64 = 1_000_000;

/// Attempts of one cluster that ran, compared with what was foretold of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graded {
    /// Its site.
    pub site: String,
    /// Its name.
    pub cluster: String,
    /// Errors of the start of the allocation, microseconds, in rising order.
    pub start: Vec<u64>,
    /// Of the time that staging of inputs took; only where something was to be staged.
    pub staging: Vec<u64>,
    /// Of the run time; only of what completed.
    pub run: Vec<u64>,
    /// Of the end of the payload; only of what completed.
    pub finish: Vec<u64>,
    /// Starts within their interval.
    pub hits: u64,
}

/// What is read of one attempt; times are microseconds.
struct Seen {
    cluster: i64,
    site: String,
    name: String,
    start: i64,
    start_latest: i64,
    stage_s: i64,
    run_s: i64,
    staging: Option<i64>,
    started: i64,
    ended: i64,
    completed: bool,
}

const QUESTION: &str = "SELECT a.cluster, c.site, c.name, a.predicted_start_us, \
     a.predicted_start_latest_us, a.predicted_stage_s, a.predicted_run_s, a.staging_us, \
     a.started_us, a.ended_us, a.state = 'Completed' \
     FROM (SELECT * FROM attempts ORDER BY allocation DESC LIMIT ?1) a \
     JOIN clusters c ON c.id = a.cluster \
     WHERE a.started_us IS NOT NULL AND a.ended_us IS NOT NULL";

impl Views {
    /// Grades the latest attempts that ran, by cluster id. O(n log n) of at most 10,000 attempts.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn accuracy(&self) -> Result<Vec<Graded>> {
        let seen = self.read(|connection| {
            let mut statement = connection.prepare_cached(QUESTION)?;
            let rows = statement.query_map([LATEST], |row| {
                Ok(Seen {
                    cluster: row.get(0)?,
                    site: row.get(1)?,
                    name: row.get(2)?,
                    start: row.get(3)?,
                    start_latest: row.get(4)?,
                    stage_s: row.get(5)?,
                    run_s: row.get(6)?,
                    staging: row.get(7)?,
                    started: row.get(8)?,
                    ended: row.get(9)?,
                    completed: row.get(10)?,
                })
            })?;
            Ok(rows.collect::<rusqlite::Result<Vec<_>>>()?)
        })?;
        Ok(grade(seen))
    }
}

fn grade(seen: Vec<Seen>) -> Vec<Graded> {
    let mut all: BTreeMap<i64, Graded> = BTreeMap::new();
    for one in seen {
        let graded = all.entry(one.cluster).or_default();
        (graded.site, graded.cluster) = (one.site, one.name);
        let (stage, run) = (one.stage_s * 1_000_000, one.run_s * 1_000_000);
        let came = one.staging.unwrap_or(one.started);
        graded.start.push(came.abs_diff(one.start));
        let interval = one.start - TOLERANCE_US..=one.start_latest + TOLERANCE_US;
        graded.hits += u64::from(interval.contains(&came));
        if stage > 0 {
            graded.staging.push((one.started - came).abs_diff(stage));
        }
        if one.completed {
            graded.run.push((one.ended - one.started).abs_diff(run));
            graded.finish.push(one.ended.abs_diff(one.start + stage + run));
        }
    }
    for graded in all.values_mut() {
        let lists = [&mut graded.start, &mut graded.staging, &mut graded.run, &mut graded.finish];
        lists.into_iter().for_each(|list| list.sort_unstable());
    }
    all.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(start: i64, latest: i64, staging: Option<i64>, started: i64, ended: i64) -> Seen {
        let (site, name) = ("s".to_owned(), "c".to_owned());
        let second = 1_000_000;
        Seen {
            cluster: 1,
            site,
            name,
            start: start * second,
            start_latest: latest * second,
            stage_s: 10,
            run_s: 100,
            staging: staging.map(|at| at * second),
            started: started * second,
            ended: ended * second,
            completed: ended > 0,
        }
    }

    #[test]
    fn each_part_is_compared_with_what_was_foretold() {
        let graded = &grade(vec![
            seen(0, 5, Some(3), 12, 132),
            seen(0, 5, Some(7), 17, 117),
            seen(0, 5, None, 6, 0),
        ])[0];
        let seconds = |list: &[u64]| list.iter().map(|us| us / 1_000_000).collect::<Vec<_>>();
        assert_eq!(seconds(&graded.start), [3, 6, 7]);
        assert_eq!(seconds(&graded.staging), [0, 1, 10]);
        assert_eq!(seconds(&graded.run), [0, 20], "only of what completed");
        assert_eq!(seconds(&graded.finish), [7, 22]);
        assert_eq!(graded.hits, 2, "at 3 and, within the second of tolerance, at 6");
    }
}
