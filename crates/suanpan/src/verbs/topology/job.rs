//! What a job's ranks send each other, from a file or from flags.

use super::{from_toml, read, wrong};
use crate::failure::Failure;
use crate::topology_args::JobArgs;
use std::path::Path;
use suanpan_topology::fabric::Wrap;
use suanpan_topology::problem::Problem;
use suanpan_topology::traffic::{
    Algorithm, Collective, Flow, Model, Operation, Parallelism, Reach, Traffic, TrafficDocument,
    parse_csv, stencil,
};

/// Bytes of a stencil or of a call where none are given.
const USUAL_BYTES: u64 = 1_000_000;

/// A job: its traffic in one iteration, and what to call it.
pub struct Job {
    /// What it is, in a few words.
    pub name: String,
    /// What its ranks send.
    pub traffic: Traffic,
    /// The model that is trained, and how it is divided; none for other jobs.
    pub training: Option<(Model, Parallelism)>,
}

/// The job that the flags name; none if they name none.
pub fn load(args: &JobArgs) -> Result<Option<Job>, Failure> {
    if let Some(path) = &args.traffic {
        return from_file(path).map(Some);
    }
    if let Some(lengths) = &args.stencil {
        return from_stencil(lengths, args).map(Some);
    }
    if let Some(keys) = &args.model {
        return from_model(keys, args.parallel.as_deref().unwrap_or_default()).map(Some);
    }
    if let Some(ranks) = args.all_to_all {
        return all_to_all(ranks).map(Some);
    }
    Ok(None)
}

/// The same where there must be one.
pub fn required(args: &JobArgs) -> Result<Job, Failure> {
    load(args)?.ok_or_else(|| {
        Failure::usage("no job: nothing says what its ranks send each other").hint(
            "--traffic FILE, --stencil 16x16, --all-to-all 64, or --model layers=…,… with \
             --parallel tp=8,dp=4",
        )
    })
}

fn from_file(path: &Path) -> Result<Job, Failure> {
    let origin = path.display().to_string();
    let text = read(path)?;
    let mut training = None;
    let traffic = match path.extension().and_then(|extension| extension.to_str()) {
        Some("csv") => parse_csv(&text),
        Some("graph" | "metis") => Traffic::parse_metis(&text),
        Some("toml") => {
            let document: TrafficDocument = from_toml(&origin, &text)?;
            let traffic = document.build();
            if let TrafficDocument::Model { model, parallelism } = document {
                training = Some((model, parallelism));
            }
            traffic
        }
        _ => {
            return Err(Failure::usage(format!("{origin}: its name does not say what it is"))
                .hint("a matrix ends in .csv, a METIS graph in .graph, a description in .toml"));
        }
    };
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Job { name, traffic: traffic.map_err(|problem| wrong(&origin, &problem))?, training })
}

fn from_stencil(text: &str, args: &JobArgs) -> Result<Job, Failure> {
    let lengths: Result<Vec<u32>, _> = text.split('x').map(str::parse).collect();
    let Ok(lengths) = lengths else {
        return Err(Failure::usage(format!("--stencil: `{text}`: expected lengths as 16x16")));
    };
    let usual = [USUAL_BYTES];
    let bytes = if args.bytes.is_empty() { &usual[..] } else { &args.bytes };
    let wrap = if args.periodic { Wrap::Closed } else { Wrap::Open };
    let reach = if args.corners { Reach::Corners } else { Reach::Faces };
    let traffic =
        stencil(&lengths, wrap, reach, bytes).map_err(|problem| wrong("--stencil", &problem))?;
    Ok(Job { name: format!("stencil {text}"), traffic, training: None })
}

/// Short names of the dimensions, as papers write them.
const SHORT: [(&str, &str); 5] =
    [("tp", "tensor"), ("cp", "context"), ("dp", "data"), ("pp", "pipeline"), ("ep", "expert")];

fn from_model(model: &str, parallel: &str) -> Result<Job, Failure> {
    let name = match parallel {
        "" => "model on one rank".to_owned(),
        parallel => format!("model {parallel}"),
    };
    let over: Parallelism = from_keys("--parallel", parallel, &SHORT)?;
    let model: Model = from_keys("--model", model, &[])?;
    let expansion = model.expand(&over).map_err(|problem| wrong("--model", &problem))?;
    Ok(Job { name, traffic: expansion.traffic, training: Some((model, over)) })
}

/// Reads keys and values with commas between them, as the TOML document they stand for; a value
/// that is no number is a text.
fn from_keys<T: serde::de::DeserializeOwned>(
    flag: &str,
    keys: &str,
    short: &[(&str, &str)],
) -> Result<T, Failure> {
    let mut text = String::new();
    for pair in keys.split(',').filter(|pair| !pair.trim().is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let key = key.trim();
        let key = short.iter().find(|(known, _)| *known == key).map_or(key, |(_, long)| long);
        match value.trim().parse::<u64>() {
            Ok(number) => text.push_str(&format!("{key} = {number}\n")),
            Err(_) => text.push_str(&format!("{key} = {value:?}\n")),
        }
    }
    toml::from_str(&text).map_err(|error| {
        let message = error.message().trim_end().replace('\n', "; ");
        Failure::usage(format!("{flag}: {message}"))
    })
}

fn all_to_all(ranks: u32) -> Result<Job, Failure> {
    if !(2..=4096).contains(&ranks) {
        let problem = Problem::new("ranks", ranks, "from 2 to 4096 ranks");
        return Err(wrong("--all-to-all", &problem));
    }
    let call = Collective {
        purpose: "all-to-all",
        operation: Operation::AllToAll,
        algorithm: Algorithm::Ring,
        groups: vec![(0..ranks).collect()],
        bytes: USUAL_BYTES * u64::from(ranks),
        calls: 1,
    };
    let mut entries = Vec::new();
    call.add_to(&mut entries);
    let traffic = Traffic::from_entries(ranks as usize, Flow::Directed, entries)
        .map_err(|problem| wrong("--all-to-all", &problem))?;
    Ok(Job { name: format!("all-to-all of {ranks}"), traffic, training: None })
}
