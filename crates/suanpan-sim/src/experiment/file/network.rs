//! The sites of a network, their flavors, prices, partitions and links, by the keys that site
//! files have for them.

use super::{priorities, quotas, title, whole};
use crate::experiment::network::NetworkModel;
use crate::experiment::section::{Section, Value};
use crate::experiment::{Site, SiteModel};
use crate::problem::Problem;
use std::sync::Arc;
use suanpan_model::memory::Mebibytes;
use suanpan_model::money::{MicroCredits, Price};
use suanpan_model::site::{DriverKind, Flavor, Inventory, Link, Node, Partition};
use suanpan_model::tres::Tres;
use suanpan_model::walltime::Walltime;

/// Most nodes of all sites together.
const NODES_MAX: usize = 100_000;
/// Most features of a node.
const FEATURES_MAX: usize = 16;
/// The longest time limit of a partition that states none: a week.
const WEEK: &str = "7-00:00:00";

/// Reads the tables `[[site]]`, and `[[flavor]]`, `[[link]]`, `[priorities]` and `[quotas]` around
/// them.
pub(super) fn network(top: &mut Section<'_>, sites: Value<'_>) -> Result<Site, Problem> {
    let empty = sites.wrong("at least one table [[site]]");
    let common = match top.take("flavor") {
        Some(value) => flavors(value)?,
        None => Vec::new(),
    };
    let mut inventories: Vec<Inventory> = Vec::new();
    let mut nodes = 0;
    for value in sites.list("tables [[site]]")? {
        let mut section = value.section("a table")?;
        let name = section.need("name", NAME)?;
        let site = site(&mut section, &common, &name, NODES_MAX - nodes)?;
        if inventories.iter().any(|other| other.site == site.site) {
            return Err(name.wrong("a name that no other site has"));
        }
        section.finish()?;
        nodes += site.nodes.len();
        inventories.push(site);
    }
    if inventories.is_empty() {
        return Err(empty);
    }
    if let Some(value) = top.take("link") {
        for value in value.list("tables [[link]]")? {
            link(value.section("a table")?, &mut inventories)?;
        }
    }
    let priorities = match top.take("priorities") {
        Some(value) => Some(priorities::priorities(value.section("a table [priorities]")?)?),
        None => None,
    };
    let quotas = top.take("quotas").map(quotas::quotas).transpose()?.map(Arc::new);
    let name = match inventories.as_slice() {
        [one] => one.site.clone(),
        several => format!("{} sites", several.len()),
    };
    let sites = inventories.into_iter().map(Arc::new).collect();
    Ok(Site { name, model: SiteModel::Network(NetworkModel { sites, priorities, quotas }) })
}

fn site(
    section: &mut Section<'_>,
    common: &[Flavor],
    name: &Value<'_>,
    room: usize,
) -> Result<Inventory, Problem> {
    let name = named(name)?;
    if let Some(value) = section.take("model") {
        return Err(value.wrong(
            "nothing: a site of a network is scheduled by the network; `model` is for one [site]",
        ));
    }
    let own = match section.take("flavor") {
        Some(value) => flavors(value)?,
        None => Vec::new(),
    };
    let known: Vec<&Flavor> = own
        .iter()
        .chain(common.iter().filter(|one| own.iter().all(|other| other.name != one.name)))
        .collect();
    let home = match section.take("home") {
        Some(value) => value.truth()?,
        None => false,
    };
    let mut site = Inventory {
        site: name.clone(),
        cluster: name,
        driver: DriverKind::Noop,
        zone: "UTC".to_owned(),
        home,
        shared_paths: Vec::new(),
        flavors: Vec::new(),
        nodes: Vec::new(),
        partitions: Vec::new(),
        links: Vec::new(),
        enforced: Vec::new(),
        peer: None,
        data_quota: None,
        backlog: 0,
    };
    let expected = "at least one table [[site.partition]]";
    let partitions = section.need("partition", expected)?;
    let empty = partitions.wrong(expected);
    let partitions = partitions.list("tables [[site.partition]]")?;
    // A single partition is where jobs go that name none, unless it says otherwise.
    let is_single = partitions.len() == 1;
    for value in partitions {
        partition(value.section("a table")?, &known, &mut site, room, is_single)?;
    }
    if site.partitions.is_empty() { Err(empty) } else { Ok(site) }
}

fn partition(
    mut section: Section<'_>,
    flavors: &[&Flavor],
    site: &mut Inventory,
    room: usize,
    is_single: bool,
) -> Result<(), Problem> {
    let mut name = "batch".to_owned();
    if let Some(value) = section.take("name") {
        name = named(&value)?;
        if site.partitions.iter().any(|other| other.name == name) {
            return Err(value.wrong("a name that no other partition of the site has"));
        }
    } else if !site.partitions.is_empty() {
        return Err(section.wrong("name", "missing", "a name, because the site has several"));
    }
    let default = section.take("default").map(|value| value.truth()).transpose()?;
    let longest = section.take("time_max").map(|value| walltime(&value)).transpose()?;
    let time_max = longest.unwrap_or(WEEK.parse().expect("a week is a time limit"));
    let time_default = match section.take("time_default") {
        Some(value) => {
            let time = walltime(&value)?;
            if time > time_max {
                return Err(value.wrong(&format!("at most time_max, {time_max}")));
            }
            time
        }
        None => time_max,
    };
    let first = site.nodes.len();
    let expected = "at least one table, such as { count = 4, flavor = \"cpu\", cpus = 32, \
                    memory = \"128G\" }";
    let groups = section.need("nodes", expected)?;
    let none = groups.wrong(expected);
    for value in groups.list(expected)? {
        nodes(value.section("a table")?, flavors, site, room)?;
    }
    let members: Vec<u32> = (first as u32..site.nodes.len() as u32).collect();
    if members.is_empty() {
        return Err(none);
    }
    let most = whole(&mut section, "nodes_max_per_job", 1..=NODES_MAX as u64, "nodes")?;
    section.finish()?;
    site.partitions.push(Partition {
        name,
        default: default.unwrap_or(is_single),
        time_max,
        time_default,
        queue: Default::default(),
        nodes_max_per_job: most.map_or(members.len() as u32, |most| most as u32),
        nodes: members,
    });
    Ok(())
}

fn nodes(
    mut section: Section<'_>,
    flavors: &[&Flavor],
    site: &mut Inventory,
    room: usize,
) -> Result<(), Problem> {
    let count = section.need("count", "how many nodes")?;
    let left = (room - site.nodes.len()) as u64;
    let many = count.whole(1..=NODES_MAX as u64, "nodes")?;
    if many > left {
        return Err(count.wrong(&format!("at most {NODES_MAX} nodes in the network")));
    }
    let flavor = section.need("flavor", "the name of a flavor")?;
    let name = flavor.text("the name of a flavor")?;
    let Some(known) = flavors.iter().find(|known| known.name == name) else {
        let names: Vec<&str> = flavors.iter().map(|flavor| flavor.name.as_str()).collect();
        return Err(flavor.wrong(&match names.is_empty() {
            true => "a flavor that a table [[flavor]] names".to_owned(),
            false => format!("one of the flavors: {}", names.join(", ")),
        }));
    };
    let cpus = section.need("cpus", "CPUs of each node")?.whole(1..=65_536, "CPUs")? as u32;
    let amount = section.need("memory", "memory of each node, such as \"128G\"")?;
    let memory = memory(&amount)?;
    if memory == Mebibytes::ZERO {
        return Err(amount.wrong("at least 1M"));
    }
    let gpus = whole(&mut section, "gpus", 0..=1_024, "GPUs of each node")?.unwrap_or(0) as u32;
    let mut features = Vec::new();
    if let Some(value) = section.take("features") {
        let many = value.wrong("at most 16 words");
        features = value.texts("words in quotes that jobs may ask for")?;
        if features.len() > FEATURES_MAX {
            return Err(many);
        }
        features.sort();
    }
    section.finish()?;
    let place = site.flavors.iter().position(|flavor| flavor.name == name);
    let place = place.unwrap_or_else(|| {
        site.flavors.push((*known).clone());
        site.flavors.len() - 1
    });
    let flavor = u16::try_from(place).map_err(|_| flavor.wrong("at most 65536 flavors"))?;
    let capacity = Tres { cpus, memory, gpus };
    for _ in 0..many {
        let name = format!("{}-{:05}", site.site, site.nodes.len() + 1);
        site.nodes.push(Node {
            name,
            flavor,
            capacity,
            features: features.clone(),
            outside: Tres::default(),
            releases: Vec::new(),
        });
    }
    Ok(())
}

fn flavors(value: Value<'_>) -> Result<Vec<Flavor>, Problem> {
    let mut flavors: Vec<Flavor> = Vec::new();
    for value in value.list("tables [[flavor]]")? {
        let mut section = value.section("a table")?;
        let given = section.need("name", NAME)?;
        let name = named(&given)?;
        if flavors.iter().any(|other| other.name == name) {
            return Err(given.wrong("a name that no other flavor has"));
        }
        let speed_milli = match section.take("speed") {
            None => 1_000,
            Some(value) => speed(&value)?,
        };
        let price = match section.take("price") {
            None => Price::default(),
            Some(value) => price(value.section("a table such as { cpu_hour = \"0.05\" }")?)?,
        };
        section.finish()?;
        flavors.push(Flavor { name, speed_milli, price });
    }
    Ok(flavors)
}

fn speed(value: &Value<'_>) -> Result<u32, Problem> {
    let expected = "how many times as fast as where run times were measured, a decimal from 0.001 \
                    to 1000 such as 1.25";
    let milli = decimal(value, 3, expected)?;
    u32::try_from(milli)
        .ok()
        .filter(|milli| (1..=1_000_000).contains(milli))
        .ok_or_else(|| value.wrong(expected))
}

fn price(mut section: Section<'_>) -> Result<Price, Problem> {
    let mut of = |key: &'static str| match section.take(key) {
        Some(value) => credits(&value),
        None => Ok(MicroCredits::ZERO),
    };
    let price =
        Price { cpu_hour: of("cpu_hour")?, gpu_hour: of("gpu_hour")?, gib_hour: of("gib_hour")? };
    section.finish()?;
    Ok(price)
}

/// A link is declared at its first end; the scheduler uses it in both directions.
fn link(mut section: Section<'_>, sites: &mut [Inventory]) -> Result<(), Problem> {
    let names: Vec<String> = sites.iter().map(|site| site.site.clone()).collect();
    let expected = format!("two sites of: {}", names.join(", "));
    let between = section.need("between", &expected)?;
    let two = between.wrong(&expected);
    let ends = between.texts(&expected)?;
    let (from, to) = match ends.as_slice() {
        [from, to] if from != to && names.contains(to) => (from, to),
        _ => return Err(two),
    };
    let Some(site) = sites.iter_mut().find(|site| site.site == *from) else { return Err(two) };
    let right = "milliseconds one way, such as 12.5";
    let delay = section.need("delay_ms", right)?;
    let delay_us = u32::try_from(decimal(&delay, 3, right)?)
        .map_err(|_| delay.wrong("at most 4000000 milliseconds"))?;
    let right = "megabits per second, such as 1000";
    let throughput = section.need("throughput_mbps", right)?;
    let throughput_bps = decimal(&throughput, 6, right)?;
    if throughput_bps == 0 {
        return Err(throughput.wrong("more than zero megabits per second"));
    }
    section.finish()?;
    site.links.push(Link { to: to.clone(), delay_us, throughput_bps });
    Ok(())
}

const NAME: &str =
    "a name of up to 64 letters, digits, -, _ or ., beginning with a letter or digit";

/// A name that needs no quoting anywhere.
pub(super) fn named(value: &Value<'_>) -> Result<String, Problem> {
    let name = value.text(NAME)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let begins = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    let fits = begins && name.len() <= 64 && name.chars().all(plain);
    if fits { title(value) } else { Err(value.wrong(NAME)) }
}

/// Credits as a decimal.
pub(super) fn credits(value: &Value<'_>) -> Result<MicroCredits, Problem> {
    /// So much that the sum over all jobs of an experiment stays below 2^63 micro-credits.
    const MOST: i64 = 1_000_000_000_000;
    let expected = "credits as a decimal with at most six decimals, such as \"0.05\", at most \
                    1000000";
    let credits = MicroCredits::from_decimal(&value.quantity(expected)?);
    let fits = credits.filter(|credits| (0..=MOST).contains(&credits.0));
    fits.ok_or_else(|| value.wrong(expected))
}

/// An amount of memory or data.
pub(super) fn memory(value: &Value<'_>) -> Result<Mebibytes, Problem> {
    let expected = "a whole number of MiB, or a number with K, M, G or T (such as \"16G\")";
    let text = value.quantity(expected)?;
    text.parse().map_err(|error: suanpan_model::parse::ParseError| value.wrong(&error.expected))
}

/// A time limit.
pub(super) fn walltime(value: &Value<'_>) -> Result<Walltime, Problem> {
    let text = value.quantity("a time limit such as \"1-00:00:00\"")?;
    text.parse().map_err(|error: suanpan_model::parse::ParseError| value.wrong(&error.expected))
}

/// A decimal with at most so many decimals, times ten to that power.
fn decimal(value: &Value<'_>, decimals: usize, expected: &str) -> Result<u64, Problem> {
    let text = value.quantity(expected)?;
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let all = format!("{whole}{fraction:0<decimals$}");
    let digits = all.bytes().all(|byte| byte.is_ascii_digit());
    let number = (!whole.is_empty() && fraction.len() <= decimals && digits)
        .then(|| all.parse().ok())
        .flatten();
    number.ok_or_else(|| value.wrong(&format!("{expected}, with at most {decimals} decimals")))
}
