//! Reading fabrics: documents, other programs' files, the library, and shapes by their lengths.

use super::{from_toml, library, read, wrong};
use crate::failure::Failure;
use crate::topology_args::FabricArgs;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use suanpan_model::hostlist::Hostlist;
use suanpan_topology::document::FabricDocument;
use suanpan_topology::fabric::{Fabric, Kind};
use suanpan_topology::generate::{LinkTerms, mesh, torus, tree};
use suanpan_topology::import::ibnetdiscover::{self, Options};
use suanpan_topology::import::kubernetes::{Capacity, NodeList};
use suanpan_topology::import::sites::SiteTerms;
use suanpan_topology::import::slurm::{TopologyYaml, topology_conf};
use suanpan_topology::import::wafer::WaferDefects;
use suanpan_topology::import::{Meaning, gml, graphml, metis, parse_csv, topograph};
use suanpan_topology::problem::Problem;
use suanpan_topology::units::{BitsPerSecond, FemtojoulesPerBit, Picoseconds};

/// A fabric and what is known of it.
#[derive(Clone)]
pub struct Loaded {
    /// The fabric.
    pub fabric: Fabric,
    /// What it is, in a sentence; empty if nobody said.
    pub about: String,
    /// Where its numbers are from.
    pub sources: Vec<String>,
    /// What was assumed, by its author or by us.
    pub assumptions: Vec<String>,
}

/// Forms of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Document,
    TopologyConf,
    TopologyYaml,
    Ibnetdiscover,
    Topograph,
    Kubernetes,
    Graphml,
    Gml,
    Metis,
    Csv,
    Wafer,
}

const FORMATS: [(&str, Format); 11] = [
    ("fabric", Format::Document),
    ("topology.conf", Format::TopologyConf),
    ("topology.yaml", Format::TopologyYaml),
    ("ibnetdiscover", Format::Ibnetdiscover),
    ("topograph", Format::Topograph),
    ("kubernetes", Format::Kubernetes),
    ("graphml", Format::Graphml),
    ("gml", Format::Gml),
    ("metis", Format::Metis),
    ("csv", Format::Csv),
    ("wafer", Format::Wafer),
];

/// Ends of file names that say what is in the file.
const ENDINGS: [(&str, Format); 9] = [
    ("topology.yaml", Format::TopologyYaml),
    (".toml", Format::Document),
    (".conf", Format::TopologyConf),
    (".ibnetdiscover", Format::Ibnetdiscover),
    (".graphml", Format::Graphml),
    (".gml", Format::Gml),
    (".graph", Format::Metis),
    (".metis", Format::Metis),
    (".csv", Format::Csv),
];

/// Links of a cluster where nothing is said: a 400 Gbit/s adapter with about 1 us from end to end,
/// and the energy of a cable with its transceivers as the library's fabrics assume it.
const CLUSTER: LinkTerms = LinkTerms {
    bandwidth: BitsPerSecond(400_000_000_000),
    latency: Picoseconds(1_000_000),
    energy: FemtojoulesPerBit(10_000),
};

/// The same for networks of sites, whose maps rarely tell a rate. Latency follows from lengths.
const SITES: LinkTerms = LinkTerms {
    bandwidth: BitsPerSecond(10_000_000_000),
    latency: Picoseconds(1_000_000_000),
    energy: FemtojoulesPerBit(0),
};

/// A cable is half as long again as the great circle between its ends.
const ROUTE_PERCENT: u32 = 150;

/// Reads the fabric that an argument names.
pub fn load(name: &str, args: &FabricArgs) -> Result<Loaded, Failure> {
    let loaded = match Path::new(name) {
        path if path.is_file() => from_file(path, args)?,
        _ => {
            refuse_other(args, "a fabric that is no file", &[])?;
            match (library::find(name), name.split_once(':')) {
                (Some(text), _) => from_document(name, text)?,
                (None, Some((shape, lengths))) => from_shape(name, shape, lengths, args)?,
                (None, None) => return Err(nowhere(name)),
            }
        }
    };
    changed(loaded, args)
}

fn nowhere(name: &str) -> Failure {
    Failure::usage(format!("{name}: no such file, and no fabric of the library")).hint(
        "`suanpan topology describe --list` shows the library; mesh:8x8, torus:4x4x4 and \
               tree:8:16 are shapes",
    )
}

fn from_document(origin: &str, text: &str) -> Result<Loaded, Failure> {
    let document: FabricDocument = from_toml(origin, text)?;
    let fabric = document.build().map_err(|problem| wrong(origin, &problem))?;
    let FabricDocument { about, sources, assumptions, .. } = document;
    Ok(Loaded { fabric, about, sources, assumptions })
}

fn from_shape(
    name: &str,
    shape: &str,
    lengths: &str,
    args: &FabricArgs,
) -> Result<Loaded, Failure> {
    let (terms, assumption) = terms(args, CLUSTER)?;
    let by = if shape == "tree" { ':' } else { 'x' };
    let lengths: Result<Vec<u32>, _> = lengths.split(by).map(str::parse).collect();
    let Ok(lengths) = lengths else {
        return Err(nowhere(name));
    };
    let first = terms[0];
    let fabric = match shape {
        "mesh" => mesh(name, &lengths, Kind::Chip, first),
        "torus" => torus(name, &lengths, Kind::Chip, first),
        "tree" => tree(name, &lengths, Kind::Node, &terms),
        _ => return Err(nowhere(name)),
    };
    let fabric = fabric.map_err(|problem| wrong(name, &problem))?;
    let assumptions = assumption.into_iter().collect();
    Ok(Loaded { fabric, about: String::new(), sources: Vec::new(), assumptions })
}

fn from_file(path: &Path, args: &FabricArgs) -> Result<Loaded, Failure> {
    let origin = path.display().to_string();
    let format = format_of(&origin, args)?;
    let word = FORMATS.iter().find(|(_, known)| *known == format).map_or("", |(word, _)| word);
    let allowed: &[&str] = match format {
        Format::Document => &[],
        Format::Ibnetdiscover => &["--link", "--rails", "--scale-up"],
        Format::Kubernetes => &["--link", "--label", "--resource"],
        Format::Csv => &["--link", "--cells"],
        _ => &["--link"],
    };
    let text = read(path)?;
    if format == Format::Document {
        refuse_other(args, "a fabric document", allowed)?;
        return from_document(&origin, &text);
    }
    refuse_other(args, &format!("--format {word}"), allowed)?;
    let is_of_sites = matches!(format, Format::Graphml | Format::Gml);
    let (terms, assumption) = terms(args, if is_of_sites { SITES } else { CLUSTER })?;
    let stem = path.file_name().unwrap_or_default().to_string_lossy();
    let name = stem.split('.').next().filter(|name| !name.is_empty()).unwrap_or("fabric");
    let fabric = import(format, name, &origin, &text, args, &terms)?;
    let mut assumptions: Vec<String> = assumption.into_iter().collect();
    if is_of_sites {
        assumptions.push("A cable is half as long again as the great circle.".to_owned());
    }
    Ok(Loaded {
        fabric,
        about: String::new(),
        sources: vec![format!("{origin}, read as {word}")],
        assumptions,
    })
}

fn import(
    format: Format,
    name: &str,
    origin: &str,
    text: &str,
    args: &FabricArgs,
    terms: &[LinkTerms],
) -> Result<Fabric, Failure> {
    let first = terms[0];
    let sites = SiteTerms { terms: first, route_percent: ROUTE_PERCENT, capacity: 1 };
    let fabric = match format {
        Format::TopologyConf => topology_conf(name, text, terms),
        Format::TopologyYaml => {
            let all: Vec<TopologyYaml> = from_yaml(origin, text)?;
            let default = all.iter().find(|topology| topology.cluster_default);
            match default.or(all.first()) {
                Some(topology) => topology.build(terms),
                None => Err(Problem::new("topology.yaml", "an empty list", "a topology")),
            }
        }
        Format::Ibnetdiscover => {
            let rails_min = args.rails.unwrap_or(1);
            let scale_up = args.scale_up.as_deref().map(link_terms).transpose()?;
            let options = Options { terms: first, capacity: 1, rails_min, scale_up };
            ibnetdiscover::parse(name, text, &options)
        }
        Format::Topograph if text.contains("instances") => {
            from_yaml::<topograph::Graph>(origin, text)?.build(name, terms)
        }
        Format::Topograph => from_yaml::<topograph::Model>(origin, text)?.build(name, terms),
        Format::Kubernetes => {
            let labels: Vec<&str> = args.labels.iter().map(String::as_str).collect();
            let capacity = args.resource.as_deref().map_or(Capacity::One, Capacity::Resource);
            from_yaml::<NodeList>(origin, text)?.build(name, &labels, capacity, terms)
        }
        Format::Graphml => graphml::parse(name, text, &sites),
        Format::Gml => gml::parse(name, text, &sites),
        Format::Metis => metis::fabric(name, text, Kind::Node, first),
        Format::Csv => parse_csv(name, text, Kind::Node, cells(args)?, first),
        Format::Wafer => from_yaml::<WaferDefects>(origin, text)?.build(name, first),
        Format::Document => unreachable!("documents are read before"),
    };
    fabric.map_err(|problem| wrong(origin, &problem))
}

/// JSON is YAML, so one reader serves both.
fn from_yaml<T: serde::de::DeserializeOwned>(origin: &str, text: &str) -> Result<T, Failure> {
    serde_yaml_ng::from_str(text).map_err(|error| Failure::usage(format!("{origin}: {error}")))
}

fn format_of(origin: &str, args: &FabricArgs) -> Result<Format, Failure> {
    let known = || FORMATS.map(|(word, _)| word).join(", ");
    if let Some(word) = &args.format {
        let found = FORMATS.iter().find(|(known, _)| known == word);
        return found.map(|(_, format)| *format).ok_or_else(|| {
            Failure::usage(format!("--format: `{word}`: expected one of: {}", known()))
        });
    }
    let found = ENDINGS.iter().find(|(ending, _)| origin.ends_with(ending));
    found.map(|(_, format)| *format).ok_or_else(|| {
        Failure::usage(format!("{origin}: its name does not say what it is"))
            .hint(format!("name its format with --format: {}", known()))
    })
}

/// No option is ignored in silence: one that says nothing to this fabric is refused.
fn refuse_other(args: &FabricArgs, what: &str, allowed: &[&str]) -> Result<(), Failure> {
    let is_shape = what == "a fabric that is no file";
    let given = [
        ("--format", is_shape && args.format.is_some()),
        ("--link", !is_shape && !args.links.is_empty()),
        ("--cells", args.cells.is_some()),
        ("--rails", args.rails.is_some()),
        ("--scale-up", args.scale_up.is_some()),
        ("--label", !args.labels.is_empty()),
        ("--resource", args.resource.is_some()),
    ];
    match given.iter().find(|(flag, given)| *given && !allowed.contains(flag)) {
        None => Ok(()),
        Some((flag, _)) => Err(Failure::usage(format!("{flag}: says nothing to {what}"))),
    }
}

/// The links' terms and, if nobody gave them, what is assumed.
fn terms(args: &FabricArgs, usual: LinkTerms) -> Result<(Vec<LinkTerms>, Option<String>), Failure> {
    if args.links.is_empty() {
        let LinkTerms { bandwidth, latency, energy } = usual;
        let told = format!(
            "Where the file says nothing, links have {bandwidth}, {latency}, {energy} (--link)."
        );
        return Ok((vec![usual], Some(told)));
    }
    let terms: Result<Vec<LinkTerms>, Failure> =
        args.links.iter().map(|text| link_terms(text)).collect();
    Ok((terms?, None))
}

/// Reads `400 Gbit/s, 1 us, 10 pJ/bit`; what is left out at the end is 0.
fn link_terms(text: &str) -> Result<LinkTerms, Failure> {
    let told = |problem: &Problem| Failure::usage(format!("--link: {problem}"));
    let mut parts = text.split(',');
    let bandwidth = BitsPerSecond::parse(parts.next().unwrap_or_default());
    let latency = parts.next().map_or(Ok(Picoseconds(0)), Picoseconds::parse);
    let energy = parts.next().map_or(Ok(FemtojoulesPerBit(0)), FemtojoulesPerBit::parse);
    if parts.next().is_some() {
        let expected = "bandwidth, latency and energy, as `400 Gbit/s, 1 us, 10 pJ/bit`";
        return Err(Failure::usage(format!("--link: `{text}`: expected {expected}")));
    }
    Ok(LinkTerms {
        bandwidth: bandwidth.map_err(|problem| told(&problem))?,
        latency: latency.map_err(|problem| told(&problem))?,
        energy: energy.map_err(|problem| told(&problem))?,
    })
}

fn cells(args: &FabricArgs) -> Result<Meaning, Failure> {
    let text = args.cells.as_deref().ok_or_else(|| {
        Failure::usage("a CSV matrix says not what its numbers count")
            .hint("say it with --cells '1 Gbit/s' or --cells '1 us'")
    })?;
    match (BitsPerSecond::parse(text), Picoseconds::parse(text)) {
        (Ok(rate), _) => Ok(Meaning::Bandwidth(rate)),
        (_, Ok(time)) => Ok(Meaning::Latency(time)),
        _ => Err(Failure::usage(format!(
            "--cells: `{text}`: expected a rate as `1 Gbit/s` or a time as `1 us`"
        ))),
    }
}

/// What flags change of a fabric that was read.
fn changed(mut loaded: Loaded, args: &FabricArgs) -> Result<Loaded, Failure> {
    if let Some(capacity) = args.capacity {
        let mut parts = loaded.fabric.into_parts();
        for element in parts.elements.iter_mut().filter(|element| element.capacity > 0) {
            element.capacity = capacity;
        }
        loaded.fabric = Fabric::new(parts).map_err(|problem| wrong("--capacity", &problem))?;
    }
    if let Some(down) = &args.down {
        let elements = elements(&loaded.fabric, "--down", down)?;
        loaded.fabric = loaded.fabric.with_down(&elements, &[]);
    }
    Ok(loaded)
}

/// The elements that a list in Slurm's form names, in its order.
pub fn elements(fabric: &Fabric, flag: &str, list: &str) -> Result<Vec<u32>, Failure> {
    let list: Hostlist =
        list.parse().map_err(|error| Failure::usage(format!("{flag}: {error}")))?;
    let places: BTreeMap<Arc<str>, u32> =
        (0..).zip(fabric.elements()).map(|(place, e)| (Arc::clone(&e.id), place)).collect();
    let found = list.expand().into_iter().map(|name| {
        places.get(name.as_str()).copied().ok_or_else(|| {
            let some: Vec<&str> = fabric.elements().iter().take(3).map(|e| &*e.id).collect();
            Failure::usage(format!("{flag}: `{name}` is no element of {}", fabric.name()))
                .hint(format!("its elements are called {}, …", some.join(", ")))
        })
    });
    found.collect()
}
