//! The server's settings: one table, three sources (flag over environment over file).
//!
//! [`SETTINGS`] is the only place where a setting is named, explained and given its default: the
//! command line's flags, the environment's names, the file's keys and the reference are made from
//! it. A key in the file that is not in the table is refused by name.

mod data;
mod file;
mod reference;
mod tls;
mod value;

#[cfg(test)]
mod tests;

pub use tls::{Tls, TlsFiles};
pub use value::Kind;

use crate::data::DataOptions;
use crate::pipeline::links::LinkOptions;
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Key in the file; a dot is a table: `tls.cert` is `cert` under `[tls]`.
    pub key: &'static str,
    /// What a value looks like.
    pub kind: Kind,
    /// Value if none is given; empty means "not set".
    pub default: &'static str,
    /// What it does, as sentences.
    pub help: &'static str,
}

impl Setting {
    /// Its name in the environment: `SUANPAN_TLS_CERT`.
    #[must_use]
    pub fn env(&self) -> String {
        format!("SUANPAN_{}", self.key.replace(['.', '-'], "_").to_uppercase())
    }

    /// Its flag without the dashes: `tls-cert`.
    #[must_use]
    pub fn flag(&self) -> String {
        self.key.replace(['.', '_'], "-")
    }

    /// The setting with this key.
    #[must_use]
    pub fn find(key: &str) -> Option<&'static Setting> {
        SETTINGS.iter().find(|setting| setting.key == key)
    }
}

/// Every setting, in the order of the reference.
pub const SETTINGS: &[Setting] = &[
    Setting {
        key: "data_dir",
        kind: Kind::Path,
        default: "suanpan-data",
        help: "Directory of everything the server keeps: journal, checkpoints, views, the first \
               user's token. One server at a time holds it.",
    },
    Setting {
        key: "listen",
        kind: Kind::Address,
        default: "127.0.0.1:7726",
        help: "Address and port of the HTTP API. Port 0 takes a free one; the address taken is \
               written to `server.addr` in the data directory. An address that other machines \
               can reach needs `tls.names`, or `tls.cert` and `tls.key`.",
    },
    Setting {
        key: "tls.names",
        kind: Kind::Text,
        default: "",
        help: "Names and addresses under which this server is reached, with commas between; \
               agents are told the first. The server is then an authority of its own: it makes \
               `ca.pem` and `ca.key` in the data directory at the first start, and its \
               certificate at every start.",
    },
    Setting {
        key: "tls.cert",
        kind: Kind::Path,
        default: "",
        help: "Certificate chain of the server, PEM.",
    },
    Setting {
        key: "tls.key",
        kind: Kind::Path,
        default: "",
        help: "Private key of the certificate, PEM.",
    },
    Setting {
        key: "tls.ca",
        kind: Kind::Path,
        default: "",
        help: "Certificate of the authority that signed `tls.cert`, PEM: join tokens name it, so \
               that agents trust it. Without it they trust their system's authorities.",
    },
    Setting {
        key: "log.format",
        kind: Kind::Choice(&["text", "json"]),
        default: "text",
        help: "How log lines are written to standard error.",
    },
    Setting {
        key: "log.level",
        kind: Kind::Text,
        default: "info",
        help: "Least level that is logged: error, warn, info, debug or trace; also per module, \
               as in `info,suanpan_server::http=debug`.",
    },
    Setting {
        key: "threads",
        kind: Kind::Count { min: 1, max: 256 },
        default: "2",
        help: "Threads that serve requests.",
    },
    Setting {
        key: "limits.body",
        kind: Kind::Bytes { min: 4096, max: 1 << 30 },
        default: "64MiB",
        help: "Largest request body.",
    },
    Setting {
        key: "limits.bulk_jobs",
        kind: Kind::Count { min: 1, max: 100_000 },
        default: "10000",
        help: "Most jobs in one bulk submission.",
    },
    Setting {
        key: "limits.requests",
        kind: Kind::Count { min: 1, max: 1_000_000 },
        default: "1024",
        help: "Requests served at a time; more are answered 503 with Retry-After.",
    },
    Setting {
        key: "limits.streams",
        kind: Kind::Count { min: 1, max: 1_000_000 },
        default: "4096",
        help: "Event streams and long polls held at a time; more are answered 503.",
    },
    Setting {
        key: "limits.request_time",
        kind: Kind::Seconds { min: 1, max: 3600 },
        default: "30",
        help: "Longest a request may take, seconds; long polls and streams have their own time.",
    },
    Setting {
        key: "limits.stop_time",
        kind: Kind::Seconds { min: 1, max: 3600 },
        default: "10",
        help: "Longest a graceful stop waits for requests under way, seconds.",
    },
    Setting {
        key: "agents.contact_period",
        kind: Kind::Seconds { min: 2, max: 86_400 },
        default: "30",
        help: "An agent not heard of for so long is silent: nothing new is placed at its cluster, \
               seconds.",
    },
    Setting {
        key: "agents.withdraw_after",
        kind: Kind::Seconds { min: 0, max: 2_592_000 },
        default: "300",
        help: "Jobs that wait at a cluster whose agent was not heard of for so long are placed \
               elsewhere, seconds; those that run there go on. Only of drivers that ask before \
               they start a job (slurm). 0: never.",
    },
    Setting {
        key: "site_name",
        kind: Kind::Text,
        default: "hub",
        help: "Name of the control plane's own place among the sites, for the links to and from \
               it. No site may have the same.",
    },
    Setting {
        key: "links.probe_budget",
        kind: Kind::Bytes { min: 0, max: 1 << 44 },
        default: "2GiB",
        help: "Most bytes that each agent moves in an hour to measure the links that lead to its \
               site. With fewer, changes of a link are noticed later; with 0 nothing is measured \
               but by transfers.",
    },
    Setting {
        key: "data.store",
        kind: Kind::Text,
        default: "",
        help: "Where the control plane keeps the chunks of datasets: a directory, or \
               `s3://BUCKET/PREFIX` with credentials and endpoint from the environment \
               (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL). By \
               default `chunks` in the data directory.",
    },
    Setting {
        key: "data.limits",
        kind: Kind::Text,
        default: "",
        help: "Most bits per second that transfers of data use of links, by the time of day (UTC): \
               `FROM>TO=RATE` or `FROM>TO=RATE@HH:MM-HH:MM`, separated by commas, with `*` for \
               any site, as in `*>hub=1G, guiyang>shanghai=200M@08:00-18:00`. Of several that \
               apply the smallest holds.",
    },
    Setting {
        key: "scheduler.period_ms",
        kind: Kind::Count { min: 1, max: 3_600_000 },
        default: "1000",
        help: "Longest time between two scheduling cycles while nothing happens, milliseconds.",
    },
    Setting {
        key: "checkpoint_every",
        kind: Kind::Count { min: 100, max: 100_000_000 },
        default: "200000",
        help: "Journal records after which a checkpoint is made.",
    },
];

/// The settings in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Directory of everything the server keeps.
    pub data_dir: PathBuf,
    /// Address of the API.
    pub listen: SocketAddr,
    /// How it is served by TLS; without it only loopback addresses are served.
    pub tls: Option<Tls>,
    /// How log lines are written.
    pub log_format: LogFormat,
    /// Filter of log lines, in `tracing` directives.
    pub log_level: String,
    /// Threads that serve requests.
    pub threads: usize,
    /// What one client may ask.
    pub limits: Limits,
    /// After so long without a request an agent is silent.
    pub contact_period: Duration,
    /// After so long without a request what waits at an agent's cluster is placed elsewhere.
    pub withdraw_after: Option<Duration>,
    /// How links between sites are measured.
    pub links: LinkOptions,
    /// Longest time between scheduling cycles.
    pub scheduler_period: Duration,
    /// The control plane's own place, and what links may carry.
    pub data: DataOptions,
    /// Records between checkpoints.
    pub checkpoint_every: u64,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// What clients may ask at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request body.
    pub body: usize,
    /// Jobs in one bulk submission.
    pub bulk_jobs: usize,
    /// Requests at a time.
    pub requests: usize,
    /// Streams and long polls at a time.
    pub streams: usize,
    /// Time of one request.
    pub request_time: Duration,
    /// Time of a graceful stop.
    pub stop_time: Duration,
}

/// What the settings are made from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Path and text of the configuration file.
    pub file: Option<(PathBuf, String)>,
    /// Environment variables; names that are no setting's are skipped.
    pub env: BTreeMap<String, String>,
    /// Flags by key of the table (`tls.cert`).
    pub flags: BTreeMap<String, String>,
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A flag.
    Flag(String),
    /// An environment variable.
    Env(String),
    /// A line of the file.
    File(PathBuf, usize),
    /// The table's default.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Flag(flag) => write!(f, "--{flag}"),
            Origin::Env(name) => f.write_str(name),
            Origin::File(path, line) => write!(f, "{}:{line}", path.display()),
            Origin::Default => f.write_str("default"),
        }
    }
}

/// A setting that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{origin}: {key} = {value:?}: {expected}")]
pub struct ConfigError {
    /// Where the value came from.
    pub origin: Origin,
    /// The setting.
    pub key: String,
    /// What was given.
    pub value: String,
    /// What would be right.
    pub expected: String,
}

/// A value and where it came from, before it is read.
#[derive(Clone, Debug)]
struct Given {
    text: String,
    origin: Origin,
}

impl Sources {
    /// The file at `path`, and this process's environment.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn from_process(path: Option<&Path>) -> std::io::Result<Sources> {
        let file = match path {
            Some(path) => Some((path.to_owned(), std::fs::read_to_string(path)?)),
            None => None,
        };
        let env = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| name.starts_with("SUANPAN_"))
            .collect();
        Ok(Sources { file, env, flags: BTreeMap::new() })
    }

    fn given(&self) -> Result<BTreeMap<&'static str, Given>, ConfigError> {
        let mut given = match &self.file {
            Some((path, text)) => file::read(path, text)?,
            None => BTreeMap::new(),
        };
        for setting in SETTINGS {
            let name = setting.env();
            if let Some(text) = self.env.get(&name) {
                given.insert(setting.key, Given { text: text.clone(), origin: Origin::Env(name) });
            }
        }
        for (key, text) in &self.flags {
            let Some(setting) = Setting::find(key) else {
                return Err(ConfigError {
                    origin: Origin::Flag(key.clone()),
                    key: key.clone(),
                    value: text.clone(),
                    expected: format!("there is no such setting; there are {}", known_keys()),
                });
            };
            let origin = Origin::Flag(setting.flag());
            given.insert(setting.key, Given { text: text.clone(), origin });
        }
        for setting in SETTINGS {
            given.entry(setting.key).or_insert_with(|| Given {
                text: setting.default.to_owned(),
                origin: Origin::Default,
            });
        }
        Ok(given)
    }
}

/// The values of the table, read one by one.
struct Reader(BTreeMap<&'static str, Given>);

impl Reader {
    fn given(&self, key: &str) -> &Given {
        self.0.get(key).expect("every setting of the table has a value or a default")
    }

    fn wrong(&self, key: &str, expected: impl Into<String>) -> ConfigError {
        let Given { text, origin } = self.given(key).clone();
        ConfigError { origin, key: key.to_owned(), value: text, expected: expected.into() }
    }

    fn number(&self, key: &str) -> Result<u64, ConfigError> {
        let setting = Setting::find(key).expect("keys read here are in the table");
        setting.kind.number(&self.given(key).text).map_err(|expected| self.wrong(key, expected))
    }

    fn count(&self, key: &str) -> Result<usize, ConfigError> {
        let number = self.number(key)?;
        usize::try_from(number).map_err(|_| self.wrong(key, "a smaller number"))
    }

    fn seconds(&self, key: &str) -> Result<Duration, ConfigError> {
        self.number(key).map(Duration::from_secs)
    }

    fn path(&self, key: &str) -> Option<PathBuf> {
        let text = &self.given(key).text;
        (!text.is_empty()).then(|| PathBuf::from(text))
    }

    fn listen(&self) -> Result<SocketAddr, ConfigError> {
        let text = self.given("listen").text.trim();
        let numeric = text.replacen("localhost:", "127.0.0.1:", 1);
        numeric.parse().map_err(|_| {
            self.wrong("listen", "write an IP address and a port, for example 127.0.0.1:7726")
        })
    }

    fn log_format(&self) -> Result<LogFormat, ConfigError> {
        match self.given("log.format").text.as_str() {
            "text" => Ok(LogFormat::Text),
            "json" => Ok(LogFormat::Json),
            _ => Err(self.wrong("log.format", "write text or json")),
        }
    }
}

impl Config {
    /// Reads the settings: flag over environment over file over default.
    ///
    /// # Errors
    /// The first setting that cannot be used, with its origin, value and what would be right.
    pub fn read(sources: &Sources) -> Result<Config, ConfigError> {
        let reader = Reader(sources.given()?);
        let listen = reader.listen()?;
        let data_dir = reader
            .path("data_dir")
            .ok_or_else(|| reader.wrong("data_dir", "write the path of a directory"))?;
        Ok(Config {
            data: reader.data(&data_dir)?,
            data_dir,
            listen,
            tls: reader.tls(listen)?,
            log_format: reader.log_format()?,
            log_level: reader.given("log.level").text.clone(),
            threads: reader.count("threads")?,
            limits: Limits {
                body: reader.count("limits.body")?,
                bulk_jobs: reader.count("limits.bulk_jobs")?,
                requests: reader.count("limits.requests")?,
                streams: reader.count("limits.streams")?,
                request_time: reader.seconds("limits.request_time")?,
                stop_time: reader.seconds("limits.stop_time")?,
            },
            contact_period: reader.seconds("agents.contact_period")?,
            withdraw_after: Some(reader.seconds("agents.withdraw_after")?)
                .filter(|time| !time.is_zero()),
            links: LinkOptions {
                hub: reader.site_name()?,
                probe_bytes_per_hour: reader.number("links.probe_budget")?,
            },
            scheduler_period: Duration::from_millis(reader.number("scheduler.period_ms")?),
            checkpoint_every: reader.number("checkpoint_every")?,
        })
    }
}

fn known_keys() -> String {
    SETTINGS.iter().map(|setting| setting.key).collect::<Vec<_>>().join(", ")
}
