//! What only the `slurm` driver reads of a site file.

use super::{SiteFileError, wrong};
use serde::Deserialize;
use suanpan_model::site::DriverKind;

/// Most jobs that may wait at a site whose owner says nothing of it.
const BACKLOG_MAX: u32 = 256;

/// What a site file says to the `slurm` driver.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SlurmSite {
    /// Which nodes have which flavor: for each flavor, in the file's order.
    pub rules: Vec<FlavorRule>,
    /// Partitions that are offered; all if empty.
    pub partitions: Vec<String>,
    /// Account for every submission; the submitting account's default if absent.
    pub account: Option<String>,
    /// QOS for every submission.
    pub qos: Option<String>,
    /// Most jobs of the network that may wait in Slurm's queue while short ones end fast; 0 for
    /// none.
    pub backlog_max: u32,
}

/// Which nodes of a Slurm cluster have a flavor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlavorRule {
    /// Generic resource that they have, `gpu:h20` or `gpu`; none if absent.
    pub gres: Option<String>,
    /// Feature that they have; any if absent.
    pub feature: Option<String>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    #[serde(default)]
    partitions: Vec<String>,
    account: Option<String>,
    qos: Option<String>,
    backlog_max: Option<i64>,
}

/// What only the `slurm` driver reads; refused by name for the others.
pub(super) fn site(
    written: &super::Written,
    driver: DriverKind,
) -> Result<SlurmSite, SiteFileError> {
    let rules = written
        .flavor
        .iter()
        .map(|flavor| FlavorRule { gres: flavor.gres.clone(), feature: flavor.feature.clone() });
    let rules: Vec<FlavorRule> = rules.collect();
    if driver != DriverKind::Slurm {
        let mut keys = Vec::new();
        keys.extend(written.slurm.is_some().then(|| "slurm".to_owned()));
        for (index, rule) in rules.iter().enumerate() {
            keys.extend(rule.gres.as_ref().map(|_| format!("flavor[{index}].gres")));
            keys.extend(rule.feature.as_ref().map(|_| format!("flavor[{index}].feature")));
        }
        return match keys.first() {
            Some(key) => Err(wrong(key, "", "no such key: only the driver slurm reads it")),
            None => Ok(SlurmSite::default()),
        };
    }
    if !written.partition.is_empty() {
        let right = "no such table: the driver slurm asks Slurm for its partitions; \
                     slurm.partitions names those that are offered";
        return Err(wrong("partition[0]", "", right));
    }
    if rules.is_empty() {
        return Err(wrong("flavor", "", "at least one flavor, to price the nodes by"));
    }
    for (index, rule) in rules.iter().enumerate() {
        if let Some(gres) = &rule.gres {
            let parts: Vec<&str> = gres.split(':').collect();
            let sound = (1..=2).contains(&parts.len()) && parts.iter().all(|part| !part.is_empty());
            if !sound {
                let right = "a generic resource as Slurm names it, such as gpu:h20";
                return Err(wrong(&format!("flavor[{index}].gres"), gres, right));
            }
        }
    }
    let Written { partitions, account, qos, backlog_max } =
        written.slurm.clone().unwrap_or_default();
    let backlog_max = match backlog_max {
        None => BACKLOG_MAX,
        Some(most) => u32::try_from(most).map_err(|_| {
            wrong("slurm.backlog_max", &most.to_string(), "a number of jobs, 0 for none")
        })?,
    };
    Ok(SlurmSite { rules, partitions, account, qos, backlog_max })
}
