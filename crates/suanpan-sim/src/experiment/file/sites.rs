//! A site of its own: its model and its size.

use super::{PROCESSORS_MAX, title, whole};
use crate::experiment::section::Section;
use crate::experiment::{ElasticFlavor, Profiles, Site, SiteModel};
use crate::problem::Problem;
use std::path::Path;
use suanpan_sched::elastic::FlavorNodes;
use suanpan_site::model::batch::Convention;

pub(super) fn site(mut section: Section<'_>, folder: &Path) -> Result<Site, Problem> {
    let name = match section.take("name") {
        Some(value) => title(&value)?,
        None => "site".to_owned(),
    };
    let model = section.need("model", "\"batch\", \"gpu-sharing\" or \"elastic\"")?;
    let model = match model.word(&[("batch", 0), ("gpu-sharing", 1), ("elastic", 2)])? {
        0 => batch_site(&mut section)?,
        1 => gpu_sharing_site(&mut section, folder)?,
        _ => elastic_site(&mut section, folder)?,
    };
    section.finish()?;
    Ok(Site { name, model })
}

fn batch_site(section: &mut Section<'_>) -> Result<SiteModel, Problem> {
    let processors = section.need("processors", "how many processors the site has")?;
    let processors = processors.whole(1..=PROCESSORS_MAX, "processors")? as u32;
    let convention = match section.take("convention") {
        Some(value) => value.word(&[
            ("instant", Convention::Instant),
            ("pyss", Convention::Pyss),
            ("accasim", Convention::AccaSim),
            ("alea", Convention::Alea),
        ])?,
        None => Convention::default(),
    };
    let grade_starts = whole(section, "grade_starts", 1..=1_000_000, "every so many jobs")?;
    Ok(SiteModel::Batch { processors, convention, grade_starts })
}

fn gpu_sharing_site(section: &mut Section<'_>, folder: &Path) -> Result<SiteModel, Problem> {
    let expected = "the path of a node list in openb's form";
    let nodes = folder.join(section.need("nodes", expected)?.text(expected)?);
    let demand = whole(section, "demand_percent", 1..=1000, "percent of the GPUs")?;
    Ok(SiteModel::GpuSharing { nodes, demand_percent: demand.unwrap_or(130) })
}

fn elastic_site(section: &mut Section<'_>, folder: &Path) -> Result<SiteModel, Problem> {
    let profiles = profiles(section, folder)?;
    let round_s = whole(section, "round_s", 1..=86_400, "seconds")?;
    let expected = "at least one table [[site.flavor]]";
    let list = section.need("flavor", expected)?;
    let empty = list.wrong(expected);
    let mut flavors = Vec::new();
    for value in list.list("tables [[site.flavor]]")? {
        let mut flavor = value.section("a table")?;
        let gpu = flavor.need("gpu", "the GPU type as in the profiles' names")?;
        let gpu = title(&gpu)?;
        let nodes = flavor.need("nodes", "how many nodes")?.whole(1..=4096, "nodes")? as u32;
        let each = flavor.need("gpus_per_node", "GPUs of each node")?.whole(1..=64, "GPUs")? as u32;
        flavor.finish()?;
        flavors.push(ElasticFlavor { gpu, nodes: FlavorNodes { nodes, gpus_per_node: each } });
    }
    if flavors.is_empty() {
        Err(empty)
    } else {
        Ok(SiteModel::Elastic { flavors, profiles, round_s })
    }
}

/// `profiles` or `throughputs`.
fn profiles(section: &mut Section<'_>, folder: &Path) -> Result<Profiles, Problem> {
    let expected = "the path of a table of throughputs in Gavel's form";
    if let Some(value) = section.take("throughputs") {
        if section.take("profiles").is_some() {
            return Err(value.wrong("`profiles` or `throughputs`, not both"));
        }
        return Ok(Profiles::Gavel(folder.join(value.text(expected)?)));
    }
    let expected = "the path of a folder with profiles in Sia's form, or `throughputs`";
    Ok(Profiles::Sia(folder.join(section.need("profiles", expected)?.text(expected)?)))
}
