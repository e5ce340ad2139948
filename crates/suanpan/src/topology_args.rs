//! Arguments of `topology`.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `topology`.
#[derive(Debug, Args)]
pub struct Topology {
    #[command(subcommand)]
    pub action: TopologyAction,
}

/// What is done with a fabric.
#[derive(Debug, Subcommand)]
pub enum TopologyAction {
    /// Say what a fabric is: its elements, links and distances
    Describe(TopologyDescribe),
    /// Choose the elements for a job's ranks, and their order
    Map(TopologyMap),
    /// Say what a job takes: time and energy of its links, a training step, the bottleneck
    Estimate(TopologyEstimate),
    /// Choose links for a job where ports can be set: fixed, torus, by demand, circuits
    Configure(TopologyConfigure),
    /// Put orders and fabrics side by side for one job
    Compare(TopologyCompare),
    /// Vary fabrics and jobs, and write tables and plots; goes on where it was stopped
    Explore(TopologyExplore),
    /// Draw a fabric as SVG: wafer, tree or map, and how busy its links are
    Draw(TopologyDraw),
}

/// How a fabric is read.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "How the fabric is read")]
pub struct FabricArgs {
    /// What the file is, if its name does not say: fabric, topology.conf, topology.yaml,
    /// ibnetdiscover, topograph, kubernetes, graphml, gml, metis, csv, wafer
    #[arg(short, long, value_name = "FORMAT")]
    pub format: Option<String>,
    /// Bandwidth, latency and energy of links, where the file says nothing of them; once for
    /// each layer from the lowest up, the last for all that follow
    #[arg(long = "link", value_name = "TERMS")]
    pub links: Vec<String>,
    /// Ranks that each element may hold, in place of what the file says
    #[arg(long, value_name = "COUNT")]
    pub capacity: Option<u32>,
    /// What a number of a CSV matrix counts: `1 Gbit/s` for bandwidths, `1 us` for latencies
    #[arg(long, value_name = "UNIT")]
    pub cells: Option<String>,
    /// Leave out hosts of ibnetdiscover with fewer cables than this
    #[arg(long, value_name = "COUNT")]
    pub rails: Option<usize>,
    /// Racks of ibnetdiscover have a network of their own, such as NVLink: its links' terms
    #[arg(long, value_name = "TERMS")]
    pub scale_up: Option<String>,
    /// A label of Kubernetes nodes that names a domain, smallest first, beside those known
    #[arg(long = "label", value_name = "LABEL")]
    pub labels: Vec<String>,
    /// Kubernetes nodes hold as many ranks as they have of this resource, such as nvidia.com/gpu
    #[arg(long, value_name = "NAME", conflicts_with = "capacity")]
    pub resource: Option<String>,
    /// Elements that must not be used: names in Slurm's form, such as n[01-03]
    #[arg(long, value_name = "HOSTLIST")]
    pub down: Option<String>,
}

/// What a job's ranks send each other.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "The job")]
pub struct JobArgs {
    /// A measured matrix (.csv), a METIS graph (.graph, .metis) or a description (.toml)
    #[arg(short, long, value_name = "FILE")]
    pub traffic: Option<PathBuf>,
    /// Ranks in a grid that exchange borders: 16x16
    #[arg(long, value_name = "LENGTHS", conflicts_with = "traffic")]
    pub stencil: Option<String>,
    /// Bytes along each dimension of the stencil, the last for all that follow [default: 1000000]
    #[arg(long, value_name = "LIST", requires = "stencil", value_delimiter = ',')]
    pub bytes: Vec<u64>,
    /// The stencil's ends are joined
    #[arg(long, requires = "stencil")]
    pub periodic: bool,
    /// The stencil's corners exchange as well: 9 points in place of 5
    #[arg(long, requires = "stencil")]
    pub corners: bool,
    /// A language model's training: layers=80,hidden=8192,sequence=4096,micro_batches=16
    #[arg(long, value_name = "KEYS", conflicts_with_all = ["traffic", "stencil"])]
    pub model: Option<String>,
    /// How the model is divided: tp=8,dp=4,pp=4 (tensor, data, pipeline; cp, ep)
    #[arg(long, value_name = "KEYS", requires = "model")]
    pub parallel: Option<String>,
    /// Ranks that each send the same to all others: 64
    #[arg(long, value_name = "RANKS", conflicts_with_all = ["traffic", "stencil", "model"])]
    pub all_to_all: Option<u32>,
}

/// Where ranks may go, and in which order they are now.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Where ranks may go")]
pub struct PlaceArgs {
    /// The free elements in the order given, in Slurm's form: n[01-16,20]
    #[arg(long, value_name = "HOSTLIST")]
    pub nodes: Option<String>,
    /// The order given: a line for each rank with its element's name, or its slot's number
    #[arg(long, value_name = "FILE")]
    pub order: Option<PathBuf>,
    /// So many ranks in a row share an element of their own and are placed together
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    pub ranks_per_node: Option<u32>,
    /// Up to so many ranks share a slot; which ones is chosen as well
    #[arg(long, value_name = "COUNT", conflicts_with_all = ["order", "ranks_per_node"],
          value_parser = clap::value_parser!(u32).range(1..))]
    pub share: Option<u32>,
    /// Distances: hops, or one for each level and one beyond, such as 1:10:100
    #[arg(long, value_name = "FORM", default_value = "hops")]
    pub distances: String,
    /// With --nodes: how much worse than the best it may be, in percent, to cut up less free room
    #[arg(long, value_name = "PERCENT", requires = "nodes")]
    pub tolerance: Option<f64>,
}

/// How long to search, and for what.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "How to search")]
pub struct SearchArgs {
    /// What is to be small: bottleneck-time or hop-bytes
    #[arg(long, value_name = "WHAT", default_value = "bottleneck-time")]
    pub objective: String,
    /// Moves to price; the default takes about a tenth of a second
    #[arg(long, value_name = "COUNT")]
    pub evaluations: Option<u64>,
    /// Search for about so long, and say how many evaluations that were
    #[arg(long, value_name = "SECONDS", conflicts_with = "evaluations")]
    pub seconds: Option<f64>,
    /// The same seed, evaluations and lanes give the same order
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    pub seed: u64,
    /// Independent searches that share the evaluations [default: 1 for short searches, else 8;
    /// with --seconds one for each thread]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub lanes: Option<u32>,
    /// Threads that run the lanes; they change the time and nothing else [default: the processors
    /// of this machine]
    #[arg(short = 'j', long, value_name = "COUNT",
          value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub threads: Option<u32>,
}

/// A job on a fabric, and how its order is searched for.
#[derive(Clone, Debug, Args)]
pub struct MappingArgs {
    #[command(flatten)]
    pub read: FabricArgs,
    #[command(flatten)]
    pub job: JobArgs,
    #[command(flatten)]
    pub place: PlaceArgs,
    #[command(flatten)]
    pub search: SearchArgs,
}

/// `topology describe`.
#[derive(Debug, Args)]
pub struct TopologyDescribe {
    /// A file, a fabric of the library (see `--list`), or a shape such as torus:8x8x8
    #[arg(value_name = "FABRIC", required_unless_present = "list")]
    pub fabric: Option<String>,
    #[command(flatten)]
    pub read: FabricArgs,
    /// List the fabrics of the library
    #[arg(long, conflicts_with = "fabric")]
    pub list: bool,
    /// Write it as a fabric document, TOML (`-`: standard output)
    #[arg(long, value_name = "PATH")]
    pub to: Option<PathBuf>,
}

/// `topology map`.
#[derive(Debug, Args)]
pub struct TopologyMap {
    /// A file, a fabric of the library, or a shape such as torus:8x8x8, mesh:16x16, tree:8:16
    #[arg(value_name = "FABRIC")]
    pub fabric: String,
    #[command(flatten)]
    pub asked: MappingArgs,
    /// Print the order for a program: rankfile, hostfile, slurm, torchrun, kubernetes, jax, kueue,
    /// volcano, json
    #[arg(long, value_name = "FORMAT", help_heading = "Options")]
    pub export: Option<String>,
    /// Where the export is written (`-`: standard output)
    #[arg(
        long,
        value_name = "PATH",
        default_value = "-",
        requires = "export",
        help_heading = "Options"
    )]
    pub to: PathBuf,
}

/// `topology estimate`.
#[derive(Debug, Args)]
pub struct TopologyEstimate {
    /// A file, a fabric of the library, or a shape such as torus:8x8x8
    #[arg(value_name = "FABRIC")]
    pub fabric: String,
    #[command(flatten)]
    pub asked: MappingArgs,
    /// How traffic finds its way: equal-split, shortest or dimension-ordered
    #[arg(long, value_name = "RULE", default_value = "equal-split", help_heading = "Options")]
    pub routing: String,
    /// Latency and saturation of packets, by bytes of a packet and, of the port between an element
    /// and its router, bandwidth and latency: '4096, 1 TB/s, 20 ns'
    #[arg(long, value_name = "TERMS", help_heading = "Options")]
    pub packets: Option<String>,
    /// Useful floating-point operations of a rank in a second, such as 4e14, for the time of a
    /// training step
    #[arg(long, value_name = "RATE", help_heading = "Options")]
    pub operations: Option<f64>,
}

/// `topology configure`.
#[derive(Debug, Args)]
pub struct TopologyConfigure {
    /// A fabric with reconfigurable ports: a file or a name of the library
    #[arg(value_name = "FABRIC")]
    pub fabric: String,
    #[command(flatten)]
    pub read: FabricArgs,
    #[command(flatten)]
    pub job: JobArgs,
    /// Iterations of the job, over which the time of setting links is spread
    #[arg(long, value_name = "COUNT", default_value_t = 1000, help_heading = "Options",
          value_parser = clap::value_parser!(u64).range(1..))]
    pub iterations: u64,
    /// Moves to price in each mapping; the default takes about a tenth of a second
    #[arg(long, value_name = "COUNT", help_heading = "Options")]
    pub evaluations: Option<u64>,
    /// The same seed and evaluations give the same links
    #[arg(long, value_name = "SEED", default_value_t = 1, help_heading = "Options")]
    pub seed: u64,
    /// Write the links that are set and the order as TOML (`-`: standard output)
    #[arg(long, value_name = "PATH", help_heading = "Options")]
    pub to: Option<PathBuf>,
    /// Write the fabric with its first setting, as a document to map onto or draw
    #[arg(long, value_name = "PATH", help_heading = "Options")]
    pub fabric_to: Option<PathBuf>,
}

/// `topology compare`.
#[derive(Debug, Args)]
pub struct TopologyCompare {
    /// Fabrics: files, names of the library, shapes such as torus:8x8x8
    #[arg(value_name = "FABRIC", required = true)]
    pub fabrics: Vec<String>,
    #[command(flatten)]
    pub asked: MappingArgs,
}

/// `topology draw`.
#[derive(Debug, Args)]
pub struct TopologyDraw {
    /// A file, a fabric of the library, or a shape such as torus:8x8x8
    #[arg(value_name = "FABRIC")]
    pub fabric: String,
    #[command(flatten)]
    pub asked: MappingArgs,
    /// Which order of a job is drawn: mapped or given
    #[arg(long, value_name = "ORDER", default_value = "mapped", help_heading = "Options")]
    pub show: String,
    /// Where the drawing is written (`-`: standard output)
    #[arg(long, value_name = "PATH", default_value = "-", help_heading = "Options")]
    pub to: PathBuf,
}

/// `topology explore`.
#[derive(Debug, Args)]
pub struct TopologyExplore {
    /// Study file, TOML
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Output directory [default: the file's name with `.results`]
    #[arg(short, long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Runs at a time [default: the processors of this machine]
    #[arg(short = 'j', long, value_name = "COUNT",
          value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub threads: Option<u32>,
    /// Do every run again, also those that are done
    #[arg(long)]
    pub fresh: bool,
}
