//! The openb gate: unallocated GPU when 130 % of the capacity has been asked, for six policies on
//! the 17 pod lists that the authors of FGD ran, seeds 42 to 51, against their own results; and
//! our policy against FGD on the same workloads.

use super::public_data;
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use suanpan_sched::packing::PolicyName;
use suanpan_sim::input;
use suanpan_sim::problem::Strictness;
use suanpan_sim::replay::packing::Study;
use suanpan_sim::workload::openb;

const SEEDS: std::ops::RangeInclusive<u32> = 42..=51;

/// Unallocated GPU of the authors' runs, by pod list, policy and seed.
type Published = BTreeMap<(String, String), BTreeMap<u32, f64>>;

/// Runs the gate: `cargo xtask gate openb [CSV file to write]`.
///
/// # Errors
/// If the data is not there, or a mean lies outside the published minimum and maximum.
pub fn run(args: &[String]) -> Result<()> {
    let folder = public_data("openb")?;
    let published = published(&folder)?;
    let lists: Vec<&String> = {
        let mut lists: Vec<&String> = published.keys().map(|(list, _)| list).collect();
        lists.dedup();
        lists
    };
    let mut rows = String::from("list,policy,seed,unallocated,published\n");
    let (mut outside, mut equal, mut compared, mut better) = (0, 0, 0, 0);
    println!("{:<12} {:<14} {:>6}   published (min to max)", "list", "policy", "mean");
    for list in &lists {
        let study = study(&folder, list)?;
        let mut means = BTreeMap::new();
        for name in PolicyName::ALL {
            let theirs = published.get(&((*list).clone(), name.word().to_owned()));
            let mut ours = Vec::new();
            for seed in SEEDS {
                let outcome = study.run(name, seed);
                let point = outcome.at(Study::DEMAND).context("a run has a last point")?;
                let value = point.unallocated();
                let same = theirs.and_then(|values| values.get(&seed));
                compared += u32::from(same.is_some());
                equal += u32::from(same.is_some_and(|same| (same - value).abs() < 0.011));
                let same = same.map_or(String::new(), |same| format!("{same:.2}"));
                writeln!(rows, "{list},{},{seed},{value:.4},{same}", name.word())?;
                ours.push(value);
            }
            let mean = ours.iter().sum::<f64>() / ours.len() as f64;
            means.insert(name, mean);
            outside += tell(list, name, mean, theirs);
        }
        better += u32::from(means[&PolicyName::LeastWaste] < means[&PolicyName::Fgd]);
    }
    if let Some(file) = args.first() {
        std::fs::write(file, rows).with_context(|| format!("cannot write {file}"))?;
    }
    println!("{equal} of {compared} runs give the published value to 0.01");
    println!("LeastWaste leaves less than FGD on {better} of {} lists", lists.len());
    ensure!(outside == 0, "{outside} means lie outside the published minimum and maximum");
    println!("every mean lies inside the published minimum and maximum");
    Ok(())
}

/// Prints a row; 1 if the mean is outside what was published, else 0.
fn tell(list: &str, name: PolicyName, mean: f64, theirs: Option<&BTreeMap<u32, f64>>) -> u32 {
    let Some(theirs) = theirs else {
        println!("{list:<12} {:<14} {mean:>6.2}", name.word());
        return 0;
    };
    let least = theirs.values().copied().fold(f64::MAX, f64::min);
    let most = theirs.values().copied().fold(f64::MIN, f64::max);
    let published = theirs.values().sum::<f64>() / theirs.len() as f64;
    // What was published is rounded to two digits.
    let inside = (least - 0.005..=most + 0.005).contains(&mean);
    println!(
        "{list:<12} {:<14} {mean:>6.2}   {published:.2} ({least:.2} to {most:.2}){}",
        name.word(),
        if inside { "" } else { "  OUTSIDE" }
    );
    u32::from(!inside)
}

/// One pod list on the nodes with GPUs.
///
/// # Errors
/// If a file is not there or has a bad line.
pub fn study(folder: &Path, list: &str) -> Result<Study> {
    let text = |name: &str| -> Result<String> {
        String::from_utf8(input::read(&folder.join(name))?).with_context(|| name.to_owned())
    };
    let name = "openb_node_list_gpu_node.csv";
    let nodes = openb::parse_nodes(name, &text(name)?, Strictness::Strict)?;
    let name = format!("openb_pod_list_{list}.csv.zst");
    let pods = openb::parse_pods(&name, &text(&name)?, Strictness::Strict)?;
    Ok(Study::new(&nodes.items, &pods.items))
}

/// The authors' results: columns `workload`, `sc_policy`, `tune`, `seed`, then allocated percent
/// by demand.
fn published(folder: &Path) -> Result<Published> {
    let bytes = input::read(&folder.join("authors_results/analysis_allo_discrete.csv.zst"))?;
    let text = String::from_utf8(bytes)?;
    let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<&str>>());
    let header = lines.next().context("no header")?;
    let demand = Study::DEMAND.to_string();
    let at = header.iter().position(|column| *column == demand).context("no column 130")?;
    let mut published = Published::new();
    for line in lines {
        let list = line[0].trim_start_matches("openb_pod_list_").to_owned();
        // `06-FGD`: a number to sort by, and the name.
        let (_, policy) = line[1].split_once('-').context("a policy without a number")?;
        let values = published.entry((list, policy.to_owned())).or_default();
        values.insert(line[3].parse()?, 100.0 - line[at].parse::<f64>()?);
    }
    Ok(published)
}
