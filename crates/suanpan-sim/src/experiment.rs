//! Experiments: a file that says what is simulated, and the runs that follow from it.
//!
//! [`file`] reads the TOML, [`source`] makes the workload of a seed, [`run`] does one run (a policy
//! and a seed), [`campaign`] does all of them side by side and can be interrupted and continued.

pub mod campaign;
pub mod digest;
pub mod file;
pub mod network;
pub mod run;
mod section;
pub mod source;

use std::path::PathBuf;

/// What is simulated.
#[derive(Clone, Debug, PartialEq)]
pub struct Experiment {
    /// Its name: the report's title.
    pub name: String,
    /// Each seed is a repetition of every policy.
    pub seeds: Vec<u64>,
    /// Where jobs come from; all of them together are the workload.
    pub workload: Vec<Source>,
    /// Where they run.
    pub site: Site,
    /// What is compared; the first is what the others are compared with.
    pub policies: Vec<Policy>,
    /// How it is measured.
    pub metrics: Metrics,
}

/// Where jobs come from.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// Shown in the report, and the queue of its jobs where several sources are mixed.
    pub name: String,
    /// A log or a generator.
    pub origin: Origin,
    /// How it is changed.
    pub scale: Scale,
    /// What its jobs ask of a network; `None` at a single site.
    pub binding: Option<network::Binding>,
}

/// A log or a generator.
#[derive(Clone, Debug, PartialEq)]
pub enum Origin {
    /// A log, the same for every seed unless its path names the seed.
    Log(Log),
    /// The model of Lublin and Feitelson, drawn anew for every seed.
    Lublin {
        /// What of it.
        model: crate::workload::generate::lublin::Model,
        /// How many jobs.
        jobs: u64,
    },
    /// Drawn anew for every seed from what a log is like.
    Fitted {
        /// The log.
        log: Log,
        /// How many jobs; 0 for as many as the log has.
        jobs: u64,
    },
}

/// A log to read.
#[derive(Clone, Debug, PartialEq)]
pub struct Log {
    /// Where it is; relative paths were completed with the experiment file's folder. `{seed}` in it
    /// stands for the seed.
    pub path: PathBuf,
    /// What it is.
    pub format: crate::workload::Format,
    /// How an SWF log is cleaned.
    pub filter: crate::workload::swf::Filter,
    /// Processors of the log's machine, if it does not say or is wrong.
    pub processors: Option<u32>,
    /// Time zone of a log that does not name it.
    pub zone: jiff::tz::TimeZone,
    /// Only what was submitted then.
    pub window: crate::workload::Window,
    /// What a bad line does.
    pub strictness: crate::problem::Strictness,
}

/// How a workload is changed after it was read or drawn, in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Scale {
    /// Only the first so many jobs.
    pub first: Option<u64>,
    /// Times between submissions are multiplied by this.
    pub arrivals: Option<f64>,
    /// Times between submissions are scaled so that the jobs ask for this share of the site.
    pub load: Option<f64>,
    /// Each submission is moved by up to so many seconds to either side, by the seed: "shaking"
    /// (Tsafrir, Ouaknine and Feitelson, "Reducing performance evaluation sensitivity and
    /// variability by input shaking", MASCOTS 2007). It gives a log the spread over seeds that one
    /// log does not have.
    pub shake_s: u64,
}

/// Where jobs run.
#[derive(Clone, Debug, PartialEq)]
pub struct Site {
    /// Its name.
    pub name: String,
    /// How it behaves, and how large it is.
    pub model: SiteModel,
}

/// How a site behaves, or a network of sites.
#[derive(Clone, Debug, PartialEq)]
pub enum SiteModel {
    /// A batch site: processors that jobs hold from start to end.
    Batch {
        /// How many.
        processors: u32,
        /// The order of simultaneous events.
        convention: suanpan_site::model::batch::Convention,
        /// The start of every so many jobs is estimated when they are submitted, and the estimate
        /// compared with what happens; of none if nothing is said.
        grade_starts: Option<u64>,
    },
    /// Nodes whose GPUs pods share; pods come and stay.
    GpuSharing {
        /// The node list, in openb's form.
        nodes: PathBuf,
        /// Pods come until they ask this share of the GPUs, percent.
        demand_percent: u64,
    },
    /// Nodes that training jobs take and give back in rounds.
    Elastic {
        /// The flavors.
        flavors: Vec<ElasticFlavor>,
        /// How fast models train on them.
        profiles: Profiles,
        /// Length of a round, seconds; that of the policy's authors if nothing is said.
        round_s: Option<u64>,
    },
    /// Sites of a whole network, behind the scheduler that serves the live one.
    Network(network::NetworkModel),
}

/// Where it stands how fast models train.
#[derive(Clone, Debug, PartialEq)]
pub enum Profiles {
    /// A folder with profiles in Sia's form, by GPUs and batch.
    Sia(PathBuf),
    /// A table of throughputs in Gavel's form, of jobs whose GPUs and batch do not change.
    Gavel(PathBuf),
}

/// Nodes of one flavor at an elastic site.
#[derive(Clone, Debug, PartialEq)]
pub struct ElasticFlavor {
    /// The GPU type, as the profiles' files call it.
    pub gpu: String,
    /// How many nodes, of how many GPUs.
    pub nodes: suanpan_sched::elastic::FlavorNodes,
}

impl SiteModel {
    /// Its name in experiment files.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            SiteModel::Batch { .. } => "batch",
            SiteModel::GpuSharing { .. } => "gpu-sharing",
            SiteModel::Elastic { .. } => "elastic",
            SiteModel::Network(_) => "network",
        }
    }
}

/// What decides.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Shown in the report.
    pub name: String,
    /// What it does.
    pub rule: run::Rule,
}

/// How runs are measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Metrics {
    /// Run times below this count as this in a bounded slowdown, seconds.
    pub bounded_slowdown_s: u64,
    /// The metrics that are drawn side by side.
    pub compare: Vec<String>,
}

impl Log {
    /// Whether each seed has a log of its own.
    #[must_use]
    pub fn is_by_seed(&self) -> bool {
        self.path.to_string_lossy().contains("{seed}")
    }

    /// The log of one seed.
    #[must_use]
    pub fn of_seed(&self, seed: u64) -> Log {
        let path = self.path.to_string_lossy().replace("{seed}", &seed.to_string());
        Log { path: PathBuf::from(path), ..self.clone() }
    }
}
