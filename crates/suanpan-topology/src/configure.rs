//! Configuring: which links to set where links can be set, for one job.
//!
//! [`configure`] tries a portfolio of [`Policy`]s on a fabric's reconfigurable ports, maps the job
//! onto each, estimates its time with all the switching it takes, and answers with the best and
//! with what became of each: what the ports cannot realise is refused by name, and the logical
//! topology is then rebuilt from what they can. [`Configuration::document`] is the answer as data,
//! [`ConfigurationDocument::build`] reads and checks one, [`Configuration::fabrics`] makes the
//! fabrics it sets, to be estimated, mapped onto or drawn.

use serde::{Deserialize, Serialize};

use crate::fabric::Fabric;
use crate::map::Effort;
use crate::problem::Problem;
use crate::traffic::Traffic;

/// A way to set links.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// Fixed links only; every port dark.
    Fixed,
    /// A torus of all elements with ports, as nearly a cube as they allow.
    Torus,
    /// A twisted torus of them.
    TwistedTorus,
    /// Links where most is sent, and enough others that everything is connected.
    DemandAware,
    /// Direct circuits only, set several times in each iteration until everything was sent.
    Circuits,
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Iterations of the job, over which switching is counted; at least 1.
    pub iterations: u64,
    /// How much to search for each mapping.
    pub effort: Effort,
}

/// Links made of two ports each.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Connection {
    /// The element at one end.
    pub a: String,
    /// The element at the other.
    pub b: String,
    /// The ports' group.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// How many such links.
    pub count: u32,
}

/// A configuration as it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigurationDocument {
    /// The fabric's name.
    pub fabric: String,
    /// How it was made.
    pub policy: Policy,
    /// What is set at one time, one after another in each iteration; one for static policies.
    pub settings: Vec<Vec<Connection>>,
    /// For each rank the id of its element.
    pub order: Vec<String>,
}

/// What a policy comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Tried {
    /// The policy.
    pub policy: Policy,
    /// The time of all iterations with switching, in seconds; or why it cannot be.
    pub seconds: Result<f64, Problem>,
    /// Why what was asked of the ports was refused and built anew from what they can, if it was.
    pub rebuilt: Option<Problem>,
}

/// Links that are set, and the mapping onto them.
#[derive(Clone, Debug, PartialEq)]
pub struct Configuration {
    /// How it was made.
    pub policy: Policy,
    /// What is set at one time: pairs of positions in [`Fabric::ports`], one for each link.
    pub settings: Vec<Vec<(u32, u32)>>,
    /// For each rank its element.
    pub element_of: Vec<u32>,
    /// Time of one iteration, switching within it included.
    pub iteration_s: f64,
    /// Time of all iterations, with switching before the first.
    pub seconds: f64,
    /// What became of each policy, in the order tried.
    pub tried: Vec<Tried>,
}

/// Chooses links and a mapping for a job whose ranks are on different elements.
///
/// # Errors
/// If there are more ranks than slots, or no policy connects them.
pub fn configure(
    _fabric: &Fabric,
    _traffic: &Traffic,
    _asked: Asked,
) -> Result<Configuration, Problem> {
    Err(Problem::new("ports", "given", "a later version"))
}

impl Configuration {
    /// The fabrics of its settings: the fixed links, and those set.
    ///
    /// # Errors
    /// If the fabric's ports cannot be set like that.
    pub fn fabrics(&self, _fabric: &Fabric) -> Result<Vec<Fabric>, Problem> {
        Err(Problem::new("ports", "given", "a later version"))
    }

    /// The configuration as it is written.
    #[must_use]
    pub fn document(&self, fabric: &Fabric) -> ConfigurationDocument {
        ConfigurationDocument {
            fabric: fabric.name().to_owned(),
            policy: self.policy,
            settings: Vec::new(),
            order: Vec::new(),
        }
    }
}
