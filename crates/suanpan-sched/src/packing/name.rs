//! The policies by name, as experiments and tables give them.

use super::{Fgd, LeastWaste, Policy, TypicalPods};

/// A policy's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PolicyName {
    /// [`Policy::Random`].
    Random,
    /// [`Policy::DotProd`].
    DotProd,
    /// [`Policy::GpuClustering`].
    GpuClustering,
    /// [`Policy::GpuPacking`].
    GpuPacking,
    /// [`Policy::BestFit`].
    BestFit,
    /// [`Policy::Fgd`].
    Fgd,
    /// [`Policy::LeastWaste`].
    LeastWaste,
}

impl PolicyName {
    /// Every policy, ours last.
    pub const ALL: [PolicyName; 7] = [
        PolicyName::Random,
        PolicyName::DotProd,
        PolicyName::GpuClustering,
        PolicyName::GpuPacking,
        PolicyName::BestFit,
        PolicyName::Fgd,
        PolicyName::LeastWaste,
    ];

    /// As it is written, in the published tables too.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            PolicyName::Random => "Random",
            PolicyName::DotProd => "DotProd",
            PolicyName::GpuClustering => "GpuClustering",
            PolicyName::GpuPacking => "GpuPacking",
            PolicyName::BestFit => "BestFit",
            PolicyName::Fgd => "FGD",
            PolicyName::LeastWaste => "LeastWaste",
        }
    }

    /// The policy, for a site where these pods are typical.
    #[must_use]
    pub fn policy(self, typical: &TypicalPods) -> Policy {
        match self {
            PolicyName::Random => Policy::Random,
            PolicyName::DotProd => Policy::DotProd,
            PolicyName::GpuClustering => Policy::GpuClustering,
            PolicyName::GpuPacking => Policy::GpuPacking,
            PolicyName::BestFit => Policy::BestFit,
            PolicyName::Fgd => Policy::Fgd(Box::new(Fgd::new(typical))),
            PolicyName::LeastWaste => Policy::LeastWaste(Box::new(LeastWaste::new(typical))),
        }
    }
}
