//! `SubmitJobs`: jobs enter the network, all or none.

use crate::command::{Caller, SubmitJobs};
use crate::event::{Event, SubmittedJob};
use crate::rejection::Rejection;
use crate::state::State;
use suanpan_model::id::JobId;
use suanpan_model::job::JobSpec;

pub(crate) fn decide(
    state: &State,
    caller: &Caller,
    submit: &SubmitJobs,
) -> Result<Vec<Event>, Rejection> {
    if submit.jobs.is_empty() {
        return Err(Rejection::NothingSubmitted);
    }
    if let Some(made) = state.keys.get(submit.key.key) {
        return if made.body == submit.key.body {
            Ok(Vec::new())
        } else {
            Err(Rejection::KeyReused)
        };
    }
    let mut next = state.next.job;
    let mut jobs = Vec::with_capacity(submit.jobs.len());
    for (position, spec) in submit.jobs.iter().enumerate() {
        if let Caller::User(user) = caller
            && *user != spec.user
        {
            return Err(Rejection::NotOwner { job: JobId(next), owner: spec.user.clone() });
        }
        state.check_rank(caller, position, spec)?;
        check_dependency(state, position, spec)?;
        check_inputs(state, position, spec)?;
        check_possible(state, position, spec)?;
        jobs.push(SubmittedJob { id: JobId(next), spec: spec.clone() });
        next += spec.array.as_ref().map_or(1, |array| array.count());
    }
    Ok(vec![Event::JobsSubmitted { key: submit.key, jobs }])
}

impl State {
    /// Ids a repeated key was answered with the first time.
    pub(crate) fn ids_of_key(&self, submit: &SubmitJobs) -> Vec<JobId> {
        let Some(made) = self.keys.get(submit.key.key) else { return Vec::new() };
        // The body is the same, so the jobs and the ids they take are too.
        let mut next = made.first.0;
        let mut ids = Vec::with_capacity(made.count as usize);
        for spec in &submit.jobs {
            ids.push(JobId(next));
            next += spec.array.as_ref().map_or(1, |array| array.count());
        }
        ids
    }

    /// Refuses a QOS that does not exist or is not for the job's user and project, and a user's
    /// wish to go before others. Without a policy there are no QOSs, and their names mean nothing.
    ///
    /// # Errors
    /// The rejection of the job at this position of its submission.
    pub fn check_rank(
        &self,
        caller: &Caller,
        position: usize,
        spec: &JobSpec,
    ) -> Result<(), Rejection> {
        if spec.nice < 0 && matches!(caller, Caller::User(_)) {
            return Err(Rejection::NegativeNice { position, nice: spec.nice });
        }
        let (Some(name), Some(policy)) = (&spec.qos, &self.priorities.policy) else {
            return Ok(());
        };
        match policy.qos.get(name) {
            None => Err(Rejection::UnknownQos { position, qos: name.clone() }),
            Some(qos) if !qos.admits(&spec.user, &spec.project) => Err(Rejection::QosNotAllowed {
                position,
                qos: name.clone(),
                user: spec.user.clone(),
                project: spec.project.clone(),
            }),
            Some(_) => Ok(()),
        }
    }
}

fn check_dependency(state: &State, position: usize, spec: &JobSpec) -> Result<(), Rejection> {
    let Some(dependency) = &spec.dependency else { return Ok(()) };
    for target in dependency.targets() {
        let known = match (state.job(target.job), target.index) {
            (Some(job), Some(index)) => job.position_of(index).is_some(),
            (Some(_), None) => true,
            (None, Some(index)) => state.outcomes.state_of_index(target.job, index).is_some(),
            (None, None) => state.outcomes.state_of(target.job).is_some(),
        };
        if !known {
            return Err(Rejection::UnknownDependency { position, target });
        }
    }
    Ok(())
}

fn check_inputs(state: &State, position: usize, spec: &JobSpec) -> Result<(), Rejection> {
    let mut inputs = spec.shape.inputs.iter().filter_map(|input| input.dataset);
    match inputs.find(|id| state.datasets.get(*id).is_none()) {
        Some(dataset) => Err(Rejection::UnknownInput { position, dataset }),
        None => Ok(()),
    }
}

/// Refuses what no site could ever run, judged by the inventories as they are now.
fn check_possible(state: &State, position: usize, spec: &JobSpec) -> Result<(), Rejection> {
    let judged = state.derived.catalog.possible(&spec.shape);
    judged.map_err(|unfit| Rejection::Impossible { position, unfit })
}
