//! What happened to jobs beside submission and attempts, and why attempts were placed.

use super::{Folder, Place};
use anyhow::Result;
use rusqlite::params;
use suanpan_model::id::{AllocationId, JobId};
use suanpan_model::job::JobState;
use suanpan_model::time::Timestamp;
use suanpan_site::order::StopReason;

impl Folder<'_> {
    pub(super) fn stopping(
        &mut self,
        place: Place,
        id: AllocationId,
        reason: StopReason,
        by: Option<JobId>,
    ) -> Result<()> {
        let word = serde_json::to_value(reason)?;
        let attempt = self.attempt(id)?;
        attempt.stopping = word.as_str().map(str::to_owned);
        let (job, index) = (attempt.job, attempt.index);
        self.shift(id, JobState::Completing)?;
        if let Some(by) = by {
            self.gave_way(id, by)?;
        }
        let detail = serde_json::json!({ "allocation": id, "reason": word, "by": by });
        self.note(place, job, index, "stopping", &detail)
    }

    /// It will be stopped for another job, and was told so.
    pub(super) fn preempted(
        &mut self,
        place: Place,
        id: AllocationId,
        by: JobId,
        stop_at: Timestamp,
    ) -> Result<()> {
        self.gave_way(id, by)?;
        let attempt = self.attempt(id)?;
        let (job, index) = (attempt.job, attempt.index);
        let detail = serde_json::json!({ "allocation": id, "by": by, "stop_at": stop_at });
        self.note(place, job, index, "preempted", &detail)
    }

    fn gave_way(&mut self, id: AllocationId, by: JobId) -> Result<()> {
        let attempt = self.attempt(id)?;
        attempt.preempted_by = Some(by);
        let job = attempt.job;
        self.job(job)?.preempted_by = Some(by);
        Ok(())
    }

    pub(super) fn put_explanation(&self, seq: u64, number: usize, text: &str) -> Result<()> {
        self.connection
            .prepare_cached(
                "INSERT INTO explanations (seq, place, explanation) VALUES (?1, ?2, ?3)",
            )?
            .execute(params![seq.cast_signed(), number as i64, text])?;
        Ok(())
    }

    pub(super) fn note(
        &self,
        place: Place,
        job: JobId,
        index: Option<u32>,
        kind: &str,
        detail: &serde_json::Value,
    ) -> Result<()> {
        self.connection
            .prepare_cached(
                "INSERT INTO job_notes (job, seq, place, task, at_us, kind, detail)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                job.0.cast_signed(),
                place.seq.cast_signed(),
                place.place as i64,
                index,
                place.at.0,
                kind,
                detail.to_string()
            ])?;
        Ok(())
    }
}
