//! A job's traffic as it is written (the caller reads the TOML); a measured matrix is a file of its
//! own, read by [`super::parse_csv`] or [`Traffic::parse_metis`].

use serde::{Deserialize, Serialize};

use super::{Model, Parallelism, Reach, Traffic, stencil};
use crate::fabric::Wrap;
use crate::problem::Problem;

/// What a job's ranks do, by its `kind`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum TrafficDocument {
    /// Ranks in a grid that exchange borders: [`stencil`].
    Stencil {
        /// Length of each dimension; the last varies fastest.
        lengths: Vec<u32>,
        /// Whether the ends of the dimensions are joined.
        #[serde(default)]
        wrap: Wrap,
        /// Which neighbors a rank exchanges with.
        #[serde(default)]
        reach: Reach,
        /// Bytes along each dimension, the last for all that follow.
        bytes: Vec<u64>,
    },
    /// A language model's training: [`Model::expand`].
    Model {
        /// The model.
        model: Model,
        /// How it is divided over ranks.
        #[serde(default)]
        parallelism: Parallelism,
    },
}

impl TrafficDocument {
    /// The traffic of one iteration.
    ///
    /// # Errors
    /// What the stencil or the expansion refuses.
    pub fn build(&self) -> Result<Traffic, Problem> {
        match self {
            TrafficDocument::Stencil { lengths, wrap, reach, bytes } => {
                stencil(lengths, *wrap, *reach, bytes)
            }
            TrafficDocument::Model { model, parallelism } => Ok(model.expand(parallelism)?.traffic),
        }
    }
}
