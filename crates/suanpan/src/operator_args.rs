//! Arguments of what operators do: drains, reservations and priorities.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Which nodes of a site.
#[derive(Debug, Args)]
pub struct Nodes {
    /// These nodes, as sh[01-04]; without it and --partition all of them
    #[arg(long, value_name = "HOSTLIST", conflicts_with = "partition")]
    pub nodes: Option<String>,
    /// The nodes of this partition
    #[arg(long, value_name = "NAME")]
    pub partition: Option<String>,
}

/// `sites drain`.
#[derive(Debug, Args)]
pub struct Drain {
    /// A site, or one cluster of it
    #[arg(value_name = "SITE")]
    pub site: String,
    #[command(flatten)]
    pub nodes: Nodes,
    /// From when, as --begin of sbatch writes it: now+2hours, 22:00, 2027-01-31T08:00
    #[arg(long, value_name = "TIME", default_value = "now")]
    pub from: String,
    /// Until when; without it until undrained
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Why, for those who ask
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

/// `sites undrain`.
#[derive(Debug, Args)]
pub struct Undrain {
    /// A site, or one cluster of it
    #[arg(value_name = "SITE")]
    pub site: String,
    #[command(flatten)]
    pub nodes: Nodes,
}

/// `reservations`.
#[derive(Debug, Args)]
pub struct Reservations {
    #[command(subcommand)]
    pub action: ReservationsAction,
}

/// What is done with reservations.
#[derive(Debug, Subcommand)]
pub enum ReservationsAction {
    /// Keep nodes for some users and projects, from a time to a time
    Create(CreateReservation),
    /// List reservations
    Ls,
    /// End a reservation: its nodes are everybody's again
    End {
        /// Name of the reservation
        #[arg(value_name = "NAME")]
        name: String,
        /// Its site, or one cluster of it; needed where several have one of this name
        #[arg(short = 'M', long, value_name = "SITE")]
        site: Option<String>,
    },
}

/// `reservations create`.
#[derive(Debug, Args)]
pub struct CreateReservation {
    /// Name of the reservation, unique at its site
    #[arg(value_name = "NAME")]
    pub name: String,
    /// A site, or one cluster of it
    #[arg(short = 'M', long, value_name = "SITE")]
    pub site: String,
    #[command(flatten)]
    pub nodes: Nodes,
    /// From when, as --begin of sbatch writes it: now+2hours, 22:00, 2027-01-31T08:00
    #[arg(long, value_name = "TIME", default_value = "now")]
    pub start: String,
    /// Until when
    #[arg(long, value_name = "TIME", required_unless_present = "duration")]
    pub end: Option<String>,
    /// For how long, as --time of sbatch writes it: 90 (minutes), 02:00:00, 1-00
    #[arg(long, value_name = "LENGTH", conflicts_with = "end")]
    pub duration: Option<String>,
    /// Users it is for, separated by commas
    #[arg(long, value_name = "USERS", value_delimiter = ',')]
    pub users: Vec<String>,
    /// Projects it is for, separated by commas
    #[arg(long, value_name = "PROJECTS", value_delimiter = ',')]
    pub projects: Vec<String>,
}

/// `priorities`.
#[derive(Debug, Args)]
pub struct Priorities {
    #[command(subcommand)]
    pub action: PrioritiesAction,
}

/// What is done with priorities.
#[derive(Debug, Subcommand)]
pub enum PrioritiesAction {
    /// Order jobs by the weights, QOSs and shares of a file
    Set {
        /// The policy, TOML; `priorities show` prints one to start from
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Print the policy in force as such a file
    Show,
    /// Order jobs by submission again
    Clear,
    /// List waiting jobs with the parts of their priority, as `sprio` does
    Jobs {
        /// Only this job
        #[arg(value_name = "JOB")]
        job: Option<String>,
    },
    /// List projects and users with their shares and usage, as `sshare` does
    Shares,
}

/// `network`.
#[derive(Debug, Args)]
pub struct Network {
    #[command(subcommand)]
    pub action: NetworkAction,
}

/// What is looked at of the network.
#[derive(Debug, Subcommand)]
pub enum NetworkAction {
    /// List links between sites: delay, loss, throughput, and where each is from
    Links,
    /// Score every site from 0 to 10, as IETF CATS does: 8 and more is preferred, 3 and less is not
    Metrics {
        /// Site from which the network is looked at [default: the server's own place]
        #[arg(long, value_name = "SITE")]
        from: Option<String>,
    },
}
