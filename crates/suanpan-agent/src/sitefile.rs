//! The site file: what an operator says of a site, in TOML.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use suanpan_model::hostlist::Hostlist;
use suanpan_model::memory::Mebibytes;
use suanpan_model::money::{MicroCredits, Price};
use suanpan_model::site::{DriverKind, Flavor, Inventory, Node, Partition};
use suanpan_model::tres::Tres;
use suanpan_model::walltime::Walltime;

mod link;
mod peer;
mod slurm;
#[cfg(test)]
mod tests;

pub use peer::PeerSettings;
pub use slurm::{FlavorRule, SlurmSite};

/// What a site file says.
#[derive(Clone, Debug, PartialEq)]
pub struct Site {
    /// What the control plane is told.
    pub inventory: Inventory,
    /// Where it is, for maps; not told.
    pub location: Option<Location>,
    /// Where and how much data is kept.
    pub data: DataSite,
    /// What only the `slurm` driver reads; it asks Slurm itself for nodes and partitions.
    pub slurm: SlurmSite,
    /// How it takes part in the network of sites; nothing if it does not.
    pub peer: Option<PeerSettings>,
}

/// Where and how much data is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DataSite {
    /// Directory of the data; `data` in the agent's state directory if absent.
    pub dir: Option<PathBuf>,
    /// Most bytes that are kept; no limit if absent.
    pub quota: Option<u64>,
}

/// A point on the earth, degrees.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Location {
    /// North is positive.
    pub latitude: f64,
    /// East is positive.
    pub longitude: f64,
}

/// Why a site file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteFileError {
    /// File and field, `site.toml: partition[0].time_max`, or file and line.
    pub field: String,
    /// The value as written, if one is wrong.
    pub value: String,
    /// What would be right.
    pub expected: String,
}

impl fmt::Display for SiteFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.value.is_empty() {
            return write!(f, "{}: {}", self.field, self.expected);
        }
        write!(f, "{}: `{}`: expected {}", self.field, self.value, self.expected)
    }
}

impl std::error::Error for SiteFileError {}

/// Reads a site file. The driver is the one it names, or the one given on the command line; they
/// must not differ.
///
/// # Errors
/// If it cannot be read, or something in it is wrong; see [`SiteFileError`].
pub fn read(path: &Path, driver: Option<DriverKind>) -> Result<Site, SiteFileError> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| SiteFileError {
        field: shown.clone(),
        value: String::new(),
        expected: error.to_string(),
    })?;
    parse(&text, driver)
        .map_err(|error| SiteFileError { field: format!("{shown}: {}", error.field), ..error })
}

/// Reads the text of a site file.
///
/// # Errors
/// If something in it is wrong; see [`SiteFileError`].
pub fn parse(text: &str, driver: Option<DriverKind>) -> Result<Site, SiteFileError> {
    let written: Written = toml::from_str(text).map_err(|error| SiteFileError {
        field: error.span().map_or_else(|| "site file".into(), |span| line_of(text, span.start)),
        value: String::new(),
        expected: error.message().to_owned(),
    })?;
    let location = written.location;
    let driver = driver_of(&written, driver)?;
    let slurm = slurm::site(&written, driver)?;
    let peer = written.peer.as_ref().map(peer::read).transpose()?;
    let data = read_data(written.data.as_ref())?;
    let mut inventory = Reader::default().inventory(written, driver)?;
    inventory.data_quota = data.quota;
    // Slurm says itself what nodes there are.
    if driver != DriverKind::Slurm
        && let Some((field, value, right)) = inventory.problems().into_iter().next()
    {
        return Err(wrong(&field, &value, &right));
    }
    Ok(Site { inventory, location, data, slurm, peer })
}

/// Reads the name of a driver.
///
/// # Errors
/// If there is no driver of this name.
pub fn driver(name: &str) -> Result<DriverKind, SiteFileError> {
    match name {
        "local" => Ok(DriverKind::Local),
        "noop" => Ok(DriverKind::Noop),
        "slurm" => Ok(DriverKind::Slurm),
        other => Err(wrong("driver", other, "local, noop or slurm")),
    }
}

fn driver_of(written: &Written, given: Option<DriverKind>) -> Result<DriverKind, SiteFileError> {
    match (&written.driver, given) {
        (Some(name), given) => {
            let named = driver(name)?;
            if given.is_some_and(|given| given != named) {
                return Err(wrong("driver", name, "the driver that --driver names"));
            }
            Ok(named)
        }
        (None, Some(given)) => Ok(given),
        (None, None) => Err(wrong("driver", "", "local, noop or slurm, here or with --driver")),
    }
}

fn line_of(text: &str, offset: usize) -> String {
    let before = text.get(..offset).unwrap_or(text);
    format!("line {}", before.matches('\n').count() + 1)
}

fn wrong(field: &str, value: &str, expected: &str) -> SiteFileError {
    SiteFileError { field: field.into(), value: value.into(), expected: expected.into() }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    site: String,
    cluster: Option<String>,
    driver: Option<String>,
    zone: Option<String>,
    location: Option<Location>,
    #[serde(default)]
    home: bool,
    #[serde(default)]
    shared_paths: Vec<String>,
    #[serde(default)]
    flavor: Vec<WrittenFlavor>,
    #[serde(default)]
    partition: Vec<WrittenPartition>,
    #[serde(default)]
    link: Vec<link::Written>,
    data: Option<WrittenData>,
    slurm: Option<slurm::Written>,
    peer: Option<peer::Written>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenFlavor {
    name: String,
    speed: Option<Number>,
    price: Option<WrittenPrice>,
    gres: Option<String>,
    feature: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenPrice {
    cpu_hour: Option<Number>,
    gpu_hour: Option<Number>,
    gib_hour: Option<Number>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenPartition {
    name: String,
    #[serde(default)]
    default: bool,
    time_max: Number,
    time_default: Option<Number>,
    nodes_max_per_job: Option<u32>,
    #[serde(default)]
    nodes: Vec<WrittenNodes>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenNodes {
    names: String,
    flavor: String,
    cpus: u32,
    memory: Number,
    #[serde(default)]
    gpus: u32,
    #[serde(default)]
    features: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenData {
    dir: Option<PathBuf>,
    quota: Option<Number>,
}

/// A quantity, written as a number or in quotes. Its text is what is read, so that decimals stay
/// exact.
#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Integer(i64),
    Float(f64),
    Text(String),
}

impl Number {
    fn text(&self) -> String {
        match self {
            Number::Integer(number) => number.to_string(),
            Number::Float(number) => number.to_string(),
            Number::Text(text) => text.trim().to_owned(),
        }
    }
}

#[derive(Default)]
struct Reader {
    flavors: Vec<Flavor>,
    nodes: Vec<Node>,
    by_name: BTreeMap<String, u32>,
}

impl Reader {
    fn inventory(
        mut self,
        written: Written,
        driver: DriverKind,
    ) -> Result<Inventory, SiteFileError> {
        let site = named("site", &written.site)?;
        let cluster = match &written.cluster {
            Some(cluster) => named("cluster", cluster)?,
            None => site.clone(),
        };
        let zone = written.zone.unwrap_or_else(|| "UTC".into());
        if jiff::tz::TimeZone::get(&zone).is_err() {
            return Err(wrong("zone", &zone, "an IANA time zone such as Asia/Shanghai"));
        }
        if let Some(Location { latitude, longitude }) = written.location {
            if !(-90.0..=90.0).contains(&latitude) {
                return Err(wrong("location.latitude", &latitude.to_string(), "-90 to 90 degrees"));
            }
            if !(-180.0..=180.0).contains(&longitude) {
                let right = "-180 to 180 degrees";
                return Err(wrong("location.longitude", &longitude.to_string(), right));
            }
        }
        for (index, path) in written.shared_paths.iter().enumerate() {
            if !path.starts_with('/') {
                return Err(wrong(&format!("shared_paths[{index}]"), path, "an absolute path"));
            }
        }
        for (index, flavor) in written.flavor.iter().enumerate() {
            self.flavor(&format!("flavor[{index}]"), flavor)?;
        }
        let mut partitions = Vec::new();
        for (index, partition) in written.partition.iter().enumerate() {
            let partition = self.partition(&format!("partition[{index}]"), partition)?;
            if partitions.iter().any(|other: &Partition| other.name == partition.name) {
                let field = format!("partition[{index}].name");
                return Err(wrong(&field, &partition.name, "a name that no other partition has"));
            }
            partitions.push(partition);
        }
        let mut links = Vec::new();
        for (index, link) in written.link.iter().enumerate() {
            links.push(link::read(&format!("link[{index}]"), link, &site)?);
        }
        Ok(Inventory {
            site,
            cluster,
            driver,
            zone,
            home: written.home,
            shared_paths: written.shared_paths,
            flavors: self.flavors,
            nodes: self.nodes,
            partitions,
            links,
            enforced: Vec::new(),
            peer: None,
            data_quota: None,
            backlog: 0,
        })
    }

    fn flavor(&mut self, at: &str, written: &WrittenFlavor) -> Result<(), SiteFileError> {
        let name = named(&format!("{at}.name"), &written.name)?;
        if self.flavors.iter().any(|flavor| flavor.name == name) {
            return Err(wrong(&format!("{at}.name"), &name, "a name that no other flavor has"));
        }
        let speed_milli = match &written.speed {
            None => 1000,
            Some(speed) => {
                let field = format!("{at}.speed");
                let milli = scaled(&field, speed, 3, "a positive decimal such as 1.25")?;
                u32::try_from(milli).map_err(|_| wrong(&field, &speed.text(), "at most 4000000"))?
            }
        };
        let price = match &written.price {
            None => Price::default(),
            Some(price) => Price {
                cpu_hour: credits(&format!("{at}.price.cpu_hour"), price.cpu_hour.as_ref())?,
                gpu_hour: credits(&format!("{at}.price.gpu_hour"), price.gpu_hour.as_ref())?,
                gib_hour: credits(&format!("{at}.price.gib_hour"), price.gib_hour.as_ref())?,
            },
        };
        self.flavors.push(Flavor { name, speed_milli, price });
        Ok(())
    }

    fn partition(
        &mut self,
        at: &str,
        written: &WrittenPartition,
    ) -> Result<Partition, SiteFileError> {
        let time_max = walltime(&format!("{at}.time_max"), &written.time_max)?;
        let time_default = match &written.time_default {
            None => time_max,
            Some(time) => walltime(&format!("{at}.time_default"), time)?,
        };
        if time_default > time_max {
            let right = format!("at most time_max, {time_max}");
            return Err(wrong(&format!("{at}.time_default"), &time_default.to_string(), &right));
        }
        let mut nodes = Vec::new();
        for (index, group) in written.nodes.iter().enumerate() {
            self.nodes(&format!("{at}.nodes[{index}]"), group, &mut nodes)?;
        }
        let count = u32::try_from(nodes.len()).unwrap_or(u32::MAX);
        let nodes_max_per_job = written.nodes_max_per_job.unwrap_or(count);
        if nodes_max_per_job == 0 {
            return Err(wrong(&format!("{at}.nodes_max_per_job"), "0", "at least 1"));
        }
        let name = named(&format!("{at}.name"), &written.name)?;
        let default = written.default;
        let queue = Default::default();
        Ok(Partition { name, default, time_max, time_default, nodes_max_per_job, nodes, queue })
    }

    fn nodes(
        &mut self,
        at: &str,
        written: &WrittenNodes,
        members: &mut Vec<u32>,
    ) -> Result<(), SiteFileError> {
        let names: Hostlist =
            written.names.parse().map_err(|error: suanpan_model::parse::ParseError| {
                wrong(&format!("{at}.names"), &error.value, &error.expected)
            })?;
        let flavor = self.flavors.iter().position(|flavor| flavor.name == written.flavor);
        let known = || self.flavors.iter().map(|f| f.name.as_str()).collect::<Vec<_>>().join(", ");
        let Some(flavor) = flavor.and_then(|index| u16::try_from(index).ok()) else {
            let right = format!("one of the flavors above ({})", known());
            return Err(wrong(&format!("{at}.flavor"), &written.flavor, &right));
        };
        let memory = memory(&format!("{at}.memory"), &written.memory)?;
        let capacity = Tres { cpus: written.cpus, memory, gpus: written.gpus };
        if written.cpus == 0 {
            return Err(wrong(&format!("{at}.cpus"), "0", "at least 1"));
        }
        let mut features = written.features.clone();
        features.sort();
        for name in names.expand() {
            let (name, features) = (name.clone(), features.clone());
            let outside = Tres::default();
            let releases = Vec::new();
            let node = Node { name: name.clone(), flavor, capacity, features, outside, releases };
            let index = match self.by_name.get(&name) {
                Some(&index) if self.nodes[index as usize] == node => index,
                Some(_) => {
                    let right = "the same flavor, cpus, memory, gpus and features as where this \
                                 node is named before";
                    return Err(wrong(&format!("{at}.names"), &name, right));
                }
                None => {
                    let index = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
                    self.nodes.push(node);
                    self.by_name.insert(name.clone(), index);
                    index
                }
            };
            if members.contains(&index) {
                let right = "each node once in a partition";
                return Err(wrong(&format!("{at}.names"), &name, right));
            }
            members.push(index);
        }
        Ok(())
    }
}

fn read_data(written: Option<&WrittenData>) -> Result<DataSite, SiteFileError> {
    let Some(written) = written else { return Ok(DataSite::default()) };
    if let Some(dir) = written.dir.as_ref().filter(|dir| !dir.is_absolute()) {
        return Err(wrong("data.dir", &dir.display().to_string(), "an absolute path"));
    }
    let quota = written.quota.as_ref().map(|quota| {
        let right = "a size such as \"500G\" or \"20T\"";
        let size =
            memory("data.quota", quota).map_err(|_| wrong("data.quota", &quota.text(), right))?;
        Ok(size.get() << 20)
    });
    Ok(DataSite { dir: written.dir.clone(), quota: quota.transpose()? })
}

/// A name: not empty, of characters that need no quoting anywhere.
fn named(field: &str, value: &str) -> Result<String, SiteFileError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let begins = value.starts_with(|c: char| c.is_ascii_alphanumeric());
    if begins && value.len() <= 64 && value.chars().all(plain) {
        return Ok(value.to_owned());
    }
    Err(wrong(
        field,
        value,
        "up to 64 letters, digits, -, _ or ., beginning with a letter or digit",
    ))
}

fn credits(field: &str, number: Option<&Number>) -> Result<MicroCredits, SiteFileError> {
    let Some(number) = number else { return Ok(MicroCredits::ZERO) };
    let text = number.text();
    let right = "credits as a decimal in quotes with at most six decimals, such as \"0.05\"";
    MicroCredits::from_decimal(&text)
        .filter(|credits| credits.0 >= 0)
        .ok_or_else(|| wrong(field, &text, right))
}

fn walltime(field: &str, number: &Number) -> Result<Walltime, SiteFileError> {
    let text = number.text();
    text.parse()
        .map_err(|error: suanpan_model::parse::ParseError| wrong(field, &text, &error.expected))
}

fn memory(field: &str, number: &Number) -> Result<Mebibytes, SiteFileError> {
    let text = number.text();
    text.parse()
        .map_err(|error: suanpan_model::parse::ParseError| wrong(field, &text, &error.expected))
}

/// A decimal with at most `decimals` decimals, times ten to that power.
fn scaled(
    field: &str,
    number: &Number,
    decimals: usize,
    right: &str,
) -> Result<u64, SiteFileError> {
    let text = number.text();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let all = format!("{whole}{fraction:0<decimals$}");
    if whole.is_empty() || fraction.len() > decimals || !digits(&all) {
        let right = format!("{right}, with at most {decimals} decimals");
        return Err(wrong(field, &text, &right));
    }
    all.parse().map_err(|_| wrong(field, &text, right))
}
