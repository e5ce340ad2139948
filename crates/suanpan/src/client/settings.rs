//! Where the server and the token come from: flag over environment over configuration file.

use crate::failure::Failure;
use serde::Deserialize;
use std::fs;
use std::path::{Path, PathBuf};

/// Address used if none is given: the server's default.
pub const SERVER_DEFAULT: &str = "http://127.0.0.1:7726";

/// What the global flags say.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--server`.
    pub server: Option<String>,
    /// `--token-file`.
    pub token_file: Option<PathBuf>,
    /// `--ca-file`.
    pub ca_file: Option<PathBuf>,
}

/// The configuration file, `~/.config/suanpan/config.toml`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    server: Option<String>,
    token_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
}

/// How the server is reached.
#[derive(Clone)]
pub struct Settings {
    /// Address without a slash at its end.
    pub server: String,
    /// The user's token.
    pub token: String,
    /// Certificates that are trusted beside none; only for `https`.
    pub ca_file: Option<PathBuf>,
}

/// One environment variable of the command line.
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What it says.
    pub meaning: &'static str,
}

/// Every environment variable the client verbs read.
pub const VARIABLES: &[Variable] = &[
    Variable { name: "SUANPAN_SERVER", meaning: "address of the server, as `--server`" },
    Variable {
        name: "SUANPAN_TOKEN_FILE",
        meaning: "file that holds the user's token, as `--token-file`",
    },
    Variable { name: "SUANPAN_TOKEN", meaning: "the token itself; a file is safer" },
    Variable { name: "SUANPAN_CA_FILE", meaning: "certificates to trust, as `--ca-file`" },
    Variable {
        name: "SUANPAN_CONFIG",
        meaning: "the configuration file, instead of `~/.config/suanpan/config.toml`; its keys \
                  are `server`, `token_file` and `ca_file`",
    },
    Variable { name: "NO_COLOR", meaning: "if not empty: no colours" },
    Variable { name: "TZ", meaning: "time zone in which times are shown and read" },
    Variable {
        name: "SBATCH_*",
        meaning: "`submit`, `run` and `plan` read sbatch's own variables; see the options there",
    },
];

impl Settings {
    /// Reads the settings of this process.
    pub fn read(flags: &Flags) -> Result<Settings, Failure> {
        let (path, file) = config_file()?;
        let server = flags.server.clone().or_else(|| variable("SUANPAN_SERVER"));
        let server = server.or(file.server).unwrap_or_else(|| SERVER_DEFAULT.to_owned());
        let ca_file = flags.ca_file.clone().or_else(|| variable("SUANPAN_CA_FILE").map(Into::into));
        Ok(Settings {
            server: checked(&server)?,
            token: token(flags, file.token_file, &path)?,
            ca_file: ca_file.or(file.ca_file),
        })
    }
}

/// How an agent reaches the server; it reads its token itself.
pub struct AgentReach {
    /// Address without a slash at its end.
    pub server: String,
    /// File with the agent's token.
    pub token_file: PathBuf,
    /// Certificates that are trusted.
    pub ca_file: Option<PathBuf>,
}

impl Settings {
    /// The settings of an agent: its token is never a user's, so that the configuration file is
    /// not looked at.
    pub fn of_agent(flags: &Flags) -> Result<AgentReach, Failure> {
        let server = flags.server.clone().or_else(|| variable("SUANPAN_SERVER"));
        let by_variable = || variable("SUANPAN_TOKEN_FILE").map(PathBuf::from);
        let token_file = flags.token_file.clone().or_else(by_variable).ok_or_else(|| {
            Failure::usage("the agent needs --token-file").hint(
                "join first, with `suanpan agent join URL TOKEN`; `suanpan sites add` writes a \
                 token for a cluster of one's own",
            )
        })?;
        let by_variable = || variable("SUANPAN_CA_FILE").map(PathBuf::from);
        Ok(AgentReach {
            server: checked(&server.unwrap_or_else(|| SERVER_DEFAULT.to_owned()))?,
            token_file,
            ca_file: flags.ca_file.clone().or_else(by_variable),
        })
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn config_file() -> Result<(PathBuf, File), Failure> {
    let path = config_path();
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok((path, File::default()));
        }
        // A home that cannot be looked into is no configuration.
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            return Ok((path, File::default()));
        }
        Err(error) => {
            return Err(Failure::usage(format!("cannot read {}: {error}", path.display())));
        }
    };
    match toml::from_str(&text) {
        Ok(file) => Ok((path, file)),
        Err(error) => {
            let line = error.span().map_or(0, |span| text[..span.start].matches('\n').count());
            let place = format!("{}:{}", path.display(), line + 1);
            Err(Failure::usage(format!("{place}: {}", error.message()))
                .hint("the keys are `server`, `token_file` and `ca_file`"))
        }
    }
}

fn config_path() -> PathBuf {
    if let Some(path) = variable("SUANPAN_CONFIG") {
        return PathBuf::from(path);
    }
    let base = variable("XDG_CONFIG_HOME").map(PathBuf::from);
    let home = || variable("HOME").map(|home| Path::new(&home).join(".config"));
    base.or_else(home).unwrap_or_else(|| PathBuf::from("/etc")).join("suanpan/config.toml")
}

/// An address without a slash at its end.
pub fn checked(server: &str) -> Result<String, Failure> {
    let server = server.trim().trim_end_matches('/');
    let rest = server.strip_prefix("http://").or_else(|| server.strip_prefix("https://"));
    match rest {
        Some(host) if !host.is_empty() && !host.contains(['/', ' ', '@', '?']) => {
            Ok(server.to_owned())
        }
        _ => Err(Failure::usage(format!("server address: `{server}` is not an address"))
            .hint("write it as http://127.0.0.1:7726, or https:// and a name for another machine")),
    }
}

fn token(flags: &Flags, in_file: Option<PathBuf>, config: &Path) -> Result<String, Failure> {
    // The variable with the token itself is weaker than a flag, stronger than the file.
    let by_variable = || variable("SUANPAN_TOKEN_FILE").map(PathBuf::from);
    let path = match (&flags.token_file, by_variable(), variable("SUANPAN_TOKEN")) {
        (Some(path), _, _) => path.clone(),
        (None, Some(path), _) => path,
        (None, None, Some(token)) => return well_formed(&token, "SUANPAN_TOKEN"),
        (None, None, None) => match in_file {
            Some(path) => path,
            None => {
                return Err(Failure::not_authorised("no token is set").hint(format!(
                    "give --token-file, or set SUANPAN_TOKEN_FILE, or `token_file` in {}; a \
                     server writes its first user's token to user.token in its data directory",
                    config.display()
                )));
            }
        },
    };
    let text = fs::read_to_string(&path).map_err(|error| {
        Failure::not_authorised(format!("cannot read the token file {}: {error}", path.display()))
    })?;
    well_formed(&text, &path.display().to_string())
}

fn well_formed(text: &str, origin: &str) -> Result<String, Failure> {
    let token = text.trim();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        // The value is not repeated: it may be most of a secret.
        return Err(Failure::not_authorised(format!("{origin} does not hold a token"))
            .hint("a token is one line that begins with spn_u_"));
    }
    Ok(token.to_owned())
}
