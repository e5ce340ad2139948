//! What an agent is told when it starts.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;
use suanpan_model::site::DriverKind;

/// What an agent is told when it starts.
#[derive(Clone, Debug)]
pub struct AgentConfig {
    /// The control plane, for example `https://suanpan.example.org:8443`. Plain `http` only to
    /// this machine, because the token travels with every request.
    pub server: String,
    /// File with the agent's token; only its owner may read it (mode 0600).
    pub token_file: PathBuf,
    /// The site file.
    pub site_file: PathBuf,
    /// The driver, if the site file does not name it.
    pub driver: Option<DriverKind>,
    /// Directory for everything that must survive the agent.
    pub state_dir: PathBuf,
    /// PEM file with the authorities that are trusted for `https`; the system's if absent.
    pub ca_file: Option<PathBuf>,
    /// The binary that understands the hidden verbs; the running one if absent.
    pub exe: Option<PathBuf>,
    /// Seconds between TERM and KILL when a job is stopped or its time is over.
    pub grace_s: u32,
    /// How long one poll for orders waits at the server, seconds.
    pub poll_wait_s: u32,
}

impl AgentConfig {
    /// A configuration with the usual values for what is not given: 30 s grace (Slurm's
    /// `KillWait`), polls of 15 s.
    #[must_use]
    pub fn new(server: &str, token_file: &Path, site_file: &Path, state_dir: &Path) -> AgentConfig {
        AgentConfig {
            server: server.to_owned(),
            token_file: token_file.to_owned(),
            site_file: site_file.to_owned(),
            driver: None,
            state_dir: state_dir.to_owned(),
            ca_file: None,
            exe: None,
            grace_s: 30,
            poll_wait_s: 15,
        }
    }
}

/// Reads a token from a file that only its owner may read.
///
/// # Errors
/// In words, if the file cannot be read, others may read it, or it holds no token.
pub fn read_token(path: &Path) -> io::Result<String> {
    let refuse = |why: String| io::Error::other(format!("token file {}: {why}", path.display()));
    let metadata = fs::metadata(path).map_err(|error| refuse(error.to_string()))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(refuse(format!("its mode is {mode:04o}; expected 0600 (chmod 600)")));
    }
    let token = fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
    let token = token.trim();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(refuse("expected one line with the token".into()));
    }
    Ok(token.to_owned())
}

/// Tells a running agent to end. Its jobs go on.
#[derive(Clone, Debug, Default)]
pub struct Shutdown(Arc<(Mutex<bool>, Condvar)>);

impl Shutdown {
    /// Asks the agent to end.
    pub fn trigger(&self) {
        *self.0.0.lock().expect("no holder of this lock panics") = true;
        self.0.1.notify_all();
    }

    /// Whether it was asked to end.
    #[must_use]
    pub fn is_triggered(&self) -> bool {
        *self.0.0.lock().expect("no holder of this lock panics")
    }

    /// Waits until it is asked to end or the time is over; true if it was asked.
    #[must_use]
    pub fn wait(&self, timeout: Duration) -> bool {
        let guard = self.0.0.lock().expect("no holder of this lock panics");
        let waited = self.0.1.wait_timeout_while(guard, timeout, |asked| !*asked);
        *waited.expect("no holder of this lock panics").0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("token");
        fs::write(&path, "abc\n").expect("the file is written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("the mode is set");
        let error = read_token(&path).expect_err("others can read it").to_string();
        assert!(error.contains("0640") && error.contains("0600"), "{error}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("the mode is set");
        assert_eq!(read_token(&path).expect("only the owner can read it"), "abc");
    }
}
