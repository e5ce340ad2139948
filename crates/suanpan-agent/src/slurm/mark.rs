//! The mark that ties a job of a site to an allocation: `suanpan:<network>:<allocation>.<generation>`
//! at the beginning of the job's comment.
//!
//! Slurm's own job ids do not do: an acknowledged submission can be lost when a controller dies
//! soon after, and its id is then given to another job.

use std::fmt;
use suanpan_model::id::{AllocationId, Generation};

const PREFIX: &str = "suanpan:";

/// Which network's allocation a job is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// The network and cluster, in a few letters: two control planes may share an account.
    pub network: String,
    /// The allocation.
    pub allocation: AllocationId,
    /// Generation of the order that started it.
    pub generation: Generation,
}

impl Mark {
    /// The first mark in a text.
    #[must_use]
    pub fn find(text: &str) -> Option<Mark> {
        let is_name = |network: &str| {
            !network.is_empty() && network.bytes().all(|byte| byte.is_ascii_alphanumeric())
        };
        text.match_indices(PREFIX).find_map(|(place, _)| {
            let rest = text.get(place + PREFIX.len()..)?;
            let (network, rest) = rest.split_once(':').filter(|(network, _)| is_name(network))?;
            let end = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
            let (allocation, rest) = rest.split_at(end(rest));
            let rest = rest.strip_prefix('.')?;
            let (generation, _) = rest.split_at(end(rest));
            Some(Mark {
                network: network.to_owned(),
                allocation: AllocationId(allocation.parse().ok()?),
                generation: Generation(generation.parse().ok()?),
            })
        })
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}:{}.{}", self.network, self.allocation, self.generation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_found_where_slurm_keeps_it() {
        let mark = Mark {
            network: "a1b2".into(),
            allocation: AllocationId(36),
            generation: Generation(2),
        };
        assert_eq!(mark.to_string(), "suanpan:a1b2:36.2");
        for text in [
            "suanpan:a1b2:36.2",
            "suanpan:a1b2:36.2 my | words",
            "sbatch --comment=suanpan:a1b2:36.2 x",
        ] {
            assert_eq!(Mark::find(text), Some(mark.clone()), "{text}");
        }
        for text in [
            "",
            "(null)",
            "suanpan:",
            "suanpan:a b:1.1",
            "suanpan:x:1",
            "suanpan:x:.1",
            "suanpan:x:99999999999999999999.1",
        ] {
            assert_eq!(Mark::find(text), None, "{text}");
        }
        assert_eq!(Mark::find("suanpan:a1b2:36 suanpan:a1b2:36.2"), Some(mark));
    }
}
