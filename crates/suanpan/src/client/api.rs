//! The routes of the API that the command line uses.

use super::sse::Events;
use super::{Client, fresh_key};
use crate::failure::Failure;
use serde::Serialize;
use std::time::Duration;
use suanpan_wire::v1::submit::SubmitJob;
use suanpan_wire::v1::{
    AccuracyList, ActionAnswer, AddSite, CreateReservation, DatasetAnswer, DatasetDetail,
    DatasetList, DatasetRef, DrainAnswer, DrainNodes, EndReservation, FetchAnswer, FlavorList,
    InviteSite, JobDetail, JobList, JobPriorityList, LinkList, LogChunk, LogStreamName, PinDataset,
    PlanAnswer, PriorityAnswer, PriorityPolicy, QuotaList, QuotaTree, RegisterDataset,
    RegisteredDataset, ReservationAnswer, ReservationList, ShareList, SiteInvitation, SiteList,
    SiteMetricList, SiteStanding, SiteToken, SubmitAnswer, TaskList, UndrainAnswer, UndrainNodes,
    Why,
};

/// Which jobs a list shows.
#[derive(Clone, Debug, Default)]
pub struct JobQuery {
    /// `live`, `finished` or `all`.
    pub life: &'static str,
    /// Only in these states.
    pub states: Vec<String>,
    /// Only of this user.
    pub user: Option<String>,
    /// Only of this name.
    pub name: Option<String>,
    /// Only at this site or cluster.
    pub site: Option<String>,
    /// Jobs to answer at most; `None` for all there are.
    pub limit: Option<usize>,
}

/// What is done to a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Ends it.
    Cancel,
    /// Keeps it from starting.
    Hold,
    /// Undoes a hold.
    Release,
    /// Puts it back among the waiting.
    Requeue,
}

impl Action {
    /// The verb, as in the route.
    pub fn word(self) -> &'static str {
        match self {
            Action::Cancel => "cancel",
            Action::Hold => "hold",
            Action::Release => "release",
            Action::Requeue => "requeue",
        }
    }
}

#[derive(Serialize)]
struct Bulk<'a> {
    jobs: &'a [SubmitJob],
}

/// Most jobs of one page.
const PAGE: usize = 1000;

impl Client {
    /// Submits one job; trying again never submits it twice.
    pub fn submit(&self, job: &SubmitJob) -> Result<SubmitAnswer, Failure> {
        self.post("/v1/jobs", Some(job), Some(&fresh_key()?))
    }

    /// Submits many jobs, all or none.
    pub fn submit_bulk(&self, jobs: &[SubmitJob]) -> Result<SubmitAnswer, Failure> {
        self.post("/v1/jobs/bulk", Some(&Bulk { jobs }), Some(&fresh_key()?))
    }

    /// Says where a job would run; submits nothing.
    pub fn plan(&self, job: &SubmitJob) -> Result<PlanAnswer, Failure> {
        self.post("/v1/plan", Some(job), None)
    }

    /// Lists jobs, newest first, page after page. `next` is set if there are more.
    pub fn jobs(&self, query: &JobQuery) -> Result<JobList, Failure> {
        let mut found: Option<JobList> = None;
        loop {
            let have = found.as_ref().map_or(0, |list| list.jobs.len());
            let wanted = query.limit.map_or(PAGE, |limit| limit.saturating_sub(have).min(PAGE));
            let after = found.as_ref().and_then(|list| list.next.clone());
            let page: JobList = self.get("/v1/jobs", &parameters(query, wanted, after))?;
            let list = match found.take() {
                Some(mut list) => {
                    list.jobs.extend(page.jobs);
                    JobList { next: page.next, ..list }
                }
                None => page,
            };
            let full = query.limit.is_some_and(|limit| list.jobs.len() >= limit);
            if full || list.next.is_none() {
                return Ok(list);
            }
            found = Some(list);
        }
    }

    /// Everything about one job or task (`36`, `36_4`).
    pub fn job(&self, id: &str) -> Result<JobDetail, Failure> {
        self.get(&job_path(id, ""), &[])
    }

    /// The same with what is launched.
    pub fn job_with_launch(&self, id: &str) -> Result<JobDetail, Failure> {
        self.get(&job_path(id, ""), &[("launch", "true".to_owned())])
    }

    /// The same once it is over, or after so many seconds (at most 60).
    pub fn job_when_over(&self, id: &str, seconds: u64) -> Result<JobDetail, Failure> {
        let query = [("wait_terminal", seconds.to_string())];
        self.get_waiting(&job_path(id, ""), &query, Duration::from_secs(seconds))
    }

    /// The tasks of a job, all of them.
    pub fn tasks(&self, id: &str) -> Result<TaskList, Failure> {
        let mut list = TaskList { tasks: Vec::new(), next: None, seq: 0 };
        loop {
            let mut query = vec![("limit", PAGE.to_string())];
            query.extend(list.next.take().map(|after| ("after", after)));
            let page: TaskList = self.get(&job_path(id, "/tasks"), &query)?;
            list.tasks.extend(page.tasks);
            (list.next, list.seq) = (page.next, page.seq);
            if list.next.is_none() {
                return Ok(list);
            }
        }
    }

    /// What happens to a job, after the event with this id, until it is over.
    pub fn job_events(
        &self,
        id: &str,
        last_id: Option<&str>,
    ) -> Result<Events<ureq::BodyReader<'static>>, Failure> {
        self.stream(&job_path(id, "/events"), last_id)
    }

    /// Why a job waits or is where it is.
    pub fn why(&self, id: &str) -> Result<Why, Failure> {
        self.get(&job_path(id, "/why"), &[])
    }

    /// Part of a job's output, from a byte on; negative counts from the end.
    pub fn log(
        &self,
        id: &str,
        stream: LogStreamName,
        offset: i64,
        length: u32,
    ) -> Result<LogChunk, Failure> {
        let stream = match stream {
            LogStreamName::Stdout => "stdout",
            LogStreamName::Stderr => "stderr",
        };
        let query = [
            ("stream", stream.to_owned()),
            ("offset", offset.to_string()),
            ("length", length.to_string()),
        ];
        self.get(&job_path(id, "/logs"), &query)
    }

    /// Does something to a job or task.
    pub fn act(&self, id: &str, action: Action) -> Result<ActionAnswer, Failure> {
        let path = job_path(id, &format!("/{}", action.word()));
        self.post(&path, None::<&()>, None)
    }

    /// All sites.
    pub fn sites(&self) -> Result<SiteList, Failure> {
        self.get("/v1/sites", &[])
    }

    /// How well what was foretold came true.
    pub fn accuracy(&self) -> Result<AccuracyList, Failure> {
        self.get("/v1/sites/accuracy", &[])
    }

    /// All links between sites.
    pub fn links(&self) -> Result<LinkList, Failure> {
        self.get("/v1/network/links", &[])
    }

    /// Scores of all sites, as they are seen from one.
    pub fn site_metrics(&self, from: Option<&str>) -> Result<SiteMetricList, Failure> {
        match from {
            Some(from) => self.get("/v1/network/metrics", &[("from", from.to_owned())]),
            None => self.get("/v1/network/metrics", &[]),
        }
    }

    /// Lets a cluster join; the answer holds its agent's token.
    pub fn add_site(&self, cluster: &str) -> Result<SiteToken, Failure> {
        self.post("/v1/sites", Some(&AddSite { cluster: cluster.to_owned() }), None)
    }

    /// Lets a cluster's owner join it for so many seconds; the answer holds the join token.
    pub fn invite_site(&self, cluster: &str, valid_s: u64) -> Result<SiteInvitation, Failure> {
        let asked = InviteSite { cluster: cluster.to_owned(), valid_s };
        self.post("/v1/sites/invite", Some(&asked), None)
    }

    /// Lets a cluster that joined take part.
    pub fn approve_site(&self, cluster: &str) -> Result<SiteStanding, Failure> {
        let path = format!("/v1/sites/{}/approve", super::percent(cluster));
        self.post(&path, None::<&()>, None)
    }

    /// Lets a cluster take part no longer.
    pub fn revoke_site(&self, cluster: &str) -> Result<SiteStanding, Failure> {
        let path = format!("/v1/sites/{}/revoke", super::percent(cluster));
        self.post(&path, None::<&()>, None)
    }

    /// Drains nodes.
    pub fn drain(&self, site: &str, asked: &DrainNodes) -> Result<DrainAnswer, Failure> {
        self.post(&format!("/v1/sites/{}/drain", super::percent(site)), Some(asked), None)
    }

    /// Undoes drains.
    pub fn undrain(&self, site: &str, asked: &UndrainNodes) -> Result<UndrainAnswer, Failure> {
        self.post(&format!("/v1/sites/{}/undrain", super::percent(site)), Some(asked), None)
    }

    /// All reservations.
    pub fn reservations(&self) -> Result<ReservationList, Failure> {
        self.get("/v1/reservations", &[])
    }

    /// Keeps nodes for some.
    pub fn create_reservation(
        &self,
        asked: &CreateReservation,
    ) -> Result<ReservationAnswer, Failure> {
        self.post("/v1/reservations", Some(asked), None)
    }

    /// Lets go of a reservation.
    pub fn end_reservation(&self, asked: &EndReservation) -> Result<ReservationAnswer, Failure> {
        self.post("/v1/reservations/end", Some(asked), None)
    }

    /// How jobs are ordered.
    pub fn priorities(&self) -> Result<PriorityAnswer, Failure> {
        self.get("/v1/priorities", &[])
    }

    /// Orders jobs by a policy, or by submission again.
    pub fn set_priorities(
        &self,
        policy: Option<&PriorityPolicy>,
    ) -> Result<PriorityAnswer, Failure> {
        match policy {
            Some(policy) => self.post("/v1/priorities", Some(policy), None),
            None => self.post("/v1/priorities/clear", None::<&()>, None),
        }
    }

    /// Waiting jobs in their order, or one.
    pub fn job_priorities(&self, job: Option<&str>) -> Result<JobPriorityList, Failure> {
        let query = match job {
            Some(job) => ("job", job.to_owned()),
            None => ("limit", "10000".to_owned()),
        };
        self.get("/v1/priorities/jobs", &[query])
    }

    /// Projects and users with their shares and usage.
    pub fn shares(&self) -> Result<ShareList, Failure> {
        self.get("/v1/priorities/shares", &[])
    }

    /// Gives data a name and a version; answers which chunks are missing.
    pub fn register_dataset(
        &self,
        dataset: &RegisterDataset,
    ) -> Result<RegisteredDataset, Failure> {
        self.post("/v1/datasets", Some(dataset), None)
    }

    /// Datasets, all or those of a name.
    pub fn datasets(&self, name: Option<String>) -> Result<DatasetList, Failure> {
        let query: Vec<_> = name.map(|name| ("name", name)).into_iter().collect();
        self.get("/v1/datasets", &query)
    }

    /// A dataset with its files.
    pub fn dataset(&self, wanted: &DatasetRef) -> Result<DatasetDetail, Failure> {
        let mut query = vec![("name", wanted.name.clone())];
        query.extend(wanted.version.map(|version| ("version", version.to_string())));
        self.get("/v1/datasets/show", &query)
    }

    /// Removes a version of a dataset.
    pub fn remove_dataset(&self, dataset: &DatasetRef) -> Result<DatasetAnswer, Failure> {
        self.post("/v1/datasets/remove", Some(dataset), None)
    }

    /// Has a site keep a dataset (`pin`), or lets it do without (`unpin`).
    pub fn pin_dataset(&self, verb: &str, pin: &PinDataset) -> Result<DatasetAnswer, Failure> {
        self.post(&format!("/v1/datasets/{verb}"), Some(pin), None)
    }

    /// Asks for a dataset to be brought to the control plane; answers how far it is.
    pub fn fetch_dataset(&self, dataset: &DatasetRef) -> Result<FetchAnswer, Failure> {
        self.post("/v1/datasets/fetch", Some(dataset), None)
    }

    /// Sends a chunk of data.
    pub fn put_chunk(&self, hash: &str, bytes: Vec<u8>) -> Result<(), Failure> {
        self.put_bytes(&format!("/v1/chunks/{hash}"), bytes)
    }

    /// Reads a chunk of data.
    pub fn chunk(&self, hash: &str) -> Result<Vec<u8>, Failure> {
        self.get_bytes(&format!("/v1/chunks/{hash}"))
    }

    /// The quotas of projects.
    pub fn quotas(&self) -> Result<QuotaList, Failure> {
        self.get("/v1/quotas", &[])
    }

    /// Sets them all.
    pub fn set_quotas(&self, tree: &QuotaTree) -> Result<QuotaList, Failure> {
        self.post("/v1/quotas", Some(tree), None)
    }

    /// Lifts them all.
    pub fn clear_quotas(&self) -> Result<QuotaList, Failure> {
        self.post("/v1/quotas/clear", None::<&()>, None)
    }

    /// All flavors.
    pub fn flavors(&self) -> Result<FlavorList, Failure> {
        self.get("/v1/flavors", &[])
    }
}

fn job_path(id: &str, rest: &str) -> String {
    format!("/v1/jobs/{}{rest}", super::percent(id))
}

fn parameters(
    query: &JobQuery,
    limit: usize,
    after: Option<String>,
) -> Vec<(&'static str, String)> {
    let states = (!query.states.is_empty()).then(|| query.states.join(","));
    let all = [
        ("life", Some(query.life.to_owned())),
        ("state", states),
        ("user", query.user.clone()),
        ("name", query.name.clone()),
        ("site", query.site.clone()),
        ("limit", Some(limit.to_string())),
        ("after", after),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}
