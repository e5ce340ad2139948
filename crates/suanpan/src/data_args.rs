//! Arguments of what people do with datasets.

use clap::{Args, Subcommand};
use std::path::PathBuf;
use suanpan_model::dataset::{DatasetName, DatasetRef};

/// `data`.
#[derive(Debug, Args)]
pub struct Data {
    #[command(subcommand)]
    pub action: DataAction,
}

/// What is done with data.
#[derive(Debug, Subcommand)]
pub enum DataAction {
    /// Make a version of a dataset from files; sends only chunks that are not there yet
    Put {
        /// Name of the dataset
        #[arg(value_name = "NAME")]
        name: DatasetName,
        /// Files and directories; a single directory is the dataset's root
        #[arg(value_name = "PATH", required = true)]
        paths: Vec<PathBuf>,
        /// Chunks sent at a time
        #[arg(long, value_name = "COUNT", default_value_t = 4,
            value_parser = clap::value_parser!(u8).range(1..=64))]
        parallel: u8,
    },
    /// List datasets, every version
    Ls {
        /// Only versions of this name
        #[arg(value_name = "NAME")]
        name: Option<DatasetName>,
    },
    /// Show a dataset: its files, where it is, and how it came to be
    Show {
        /// The dataset; its newest version if none is given
        #[arg(value_name = "NAME[@VERSION]")]
        dataset: DatasetRef,
    },
    /// Write a dataset's files below a directory
    Get {
        /// The dataset; its newest version if none is given
        #[arg(value_name = "NAME[@VERSION]")]
        dataset: DatasetRef,
        /// The directory; files that are there already and are the same are kept
        #[arg(value_name = "DIR")]
        dir: PathBuf,
        /// Longest wait for a site to hand the data over, seconds
        #[arg(long, value_name = "SECONDS", default_value_t = 600)]
        timeout: u64,
    },
    /// Remove one version of a dataset; refused while a job needs it
    Rm {
        /// The dataset with its version
        #[arg(value_name = "NAME@VERSION")]
        dataset: DatasetRef,
    },
    /// Have a site keep a dataset, and get it if it has it not
    Pin(PinArgs),
    /// Let a site do without a dataset
    Unpin(PinArgs),
}

/// A dataset and a site.
#[derive(Debug, Args)]
pub struct PinArgs {
    /// The dataset; its newest version if none is given
    #[arg(value_name = "NAME[@VERSION]")]
    pub dataset: DatasetRef,
    /// The site
    #[arg(long, value_name = "SITE")]
    pub site: String,
}
