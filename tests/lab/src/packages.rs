//! What a lab needs from Debian.

use anyhow::bail;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Programs that must be there, and the packages they come in.
const NEEDED: [(&str, &str); 11] = [
    ("/usr/sbin/slurmctld-wlm", "slurmctld"),
    ("/usr/sbin/slurmd-wlm", "slurmd"),
    ("/usr/bin/sbatch", "slurm-client"),
    ("/usr/sbin/slurmdbd", "slurmdbd"),
    ("/usr/lib/x86_64-linux-gnu/slurm-wlm/accounting_storage_mysql.so", "slurm-wlm-mysql-plugin"),
    ("/usr/lib/x86_64-linux-gnu/slurm-wlm/select_cons_tres.so", "slurm-wlm-basic-plugins"),
    ("/usr/sbin/munged", "munge"),
    ("/usr/sbin/mariadbd", "mariadb-server"),
    ("/usr/sbin/ip", "iproute2"),
    ("/usr/bin/ping", "iputils-ping"),
    ("/usr/bin/cc", "gcc"),
];

/// The account that submits jobs and runs agents, as an ordinary user would.
pub const USER: &str = "suanpan-lab";

/// Packages of which something is missing.
#[must_use]
pub fn missing() -> Vec<&'static str> {
    // The folder of plugins is named after the architecture.
    let triplet = format!("{}-linux-gnu", std::env::consts::ARCH);
    let is_there = |path: &str| Path::new(&path.replace("x86_64-linux-gnu", &triplet)).exists();
    NEEDED.iter().filter(|(path, _)| !is_there(path)).map(|(_, package)| *package).collect()
}

/// Installs what is missing, and makes the account.
///
/// # Errors
/// In words, if this is not root on Debian or apt cannot do it.
pub fn install() -> anyhow::Result<()> {
    if !nix::unistd::geteuid().is_root() {
        bail!("needs root");
    }
    let missing = missing();
    if !missing.is_empty() {
        if !Path::new("/usr/bin/apt-get").exists() {
            bail!("needs {} and there is no apt-get to install them", missing.join(", "));
        }
        let quiet = NoStarts::begin()?;
        let mut words = vec!["install", "-y", "-q", "--no-install-recommends"];
        words.extend(&missing);
        // The lists may be old or absent; that they cannot be fetched is not yet a reason to stop.
        let _ = apt(&["update", "-q"]);
        let output = apt(&words)?;
        drop(quiet);
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            let last = text.lines().last().unwrap_or_default();
            bail!("needs {}; apt-get: {last}", missing.join(", "));
        }
    }
    if !Command::new("id").arg(USER).stdout(Stdio::null()).stderr(Stdio::null()).status()?.success()
    {
        let made = Command::new("useradd").args(["-m", "-s", "/bin/bash", USER]).status()?;
        if !made.success() {
            bail!("the account {USER} cannot be made");
        }
    }
    Ok(())
}

fn apt(words: &[&str]) -> std::io::Result<Output> {
    let mut command = Command::new("timeout");
    command.args(["300", "apt-get", "-o", "Acquire::http::Timeout=15"]).args(words);
    command.env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null()).output()
}

/// While it lives, no package starts a daemon of its own (Debian's `policy-rc.d`).
struct NoStarts {
    is_ours: bool,
}

const POLICY: &str = "/usr/sbin/policy-rc.d";

impl NoStarts {
    fn begin() -> anyhow::Result<NoStarts> {
        use std::os::unix::fs::PermissionsExt as _;
        if Path::new(POLICY).exists() {
            return Ok(NoStarts { is_ours: false });
        }
        std::fs::write(POLICY, "#!/bin/sh\nexit 101\n")?;
        std::fs::set_permissions(POLICY, std::fs::Permissions::from_mode(0o755))?;
        Ok(NoStarts { is_ours: true })
    }
}

impl Drop for NoStarts {
    fn drop(&mut self) {
        if self.is_ours {
            let _ = std::fs::remove_file(POLICY);
        }
    }
}
