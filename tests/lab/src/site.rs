//! The daemons of one site.

use crate::slurm_conf::{self, Place, gres_of};
use crate::spec::SiteSpec;
use crate::{Lab, run, succeeds, wait_for};
use anyhow::{Context as _, bail};
use nix::sys::signal::Signal;
use nix::unistd::{Gid, Uid, User};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A site is up after a second or two; a busy machine needs longer.
const PATIENCE: Duration = Duration::from_secs(90);

impl Lab {
    fn site_dir(&self, site: &str) -> PathBuf {
        self.dir.join(site)
    }

    /// Starts a daemon of a site that was killed or stopped.
    ///
    /// # Errors
    /// If it cannot be started, or there is no such daemon.
    pub fn start(&self, site: &str, daemon: &str) -> anyhow::Result<()> {
        let dir = self.site_dir(site);
        let conf = dir.join("etc/slurm.conf");
        let name = format!("{site}.{daemon}");
        let command = match daemon.split_once('-') {
            None if daemon == "munged" => return self.start_munge(site),
            None if daemon == "slurmdbd" => {
                let mut command = self.as_account(site, "slurm", "slurmdbd");
                command.arg("-D").env("MYSQL_UNIX_PORT", self.dir.join("mysql/sock"));
                command
            }
            None if daemon == "slurmctld" => {
                let program = self.dir.join("bin/slurmctld").display().to_string();
                let mut command = self.as_account(site, "slurm", &program);
                command.arg("-D").arg("-f").arg(&conf);
                command
            }
            Some(("slurmd", node)) => {
                fs::create_dir_all(dir.join("spool").join(node))?;
                let program = self.dir.join("bin/slurmd").display().to_string();
                let mut command = self.command(site, &program);
                command.arg("-D").arg("-d").arg(self.dir.join("bin/slurmstepd"));
                command.args(["-N", node]).arg("-f").arg(&conf);
                command
            }
            _ => bail!("there is no daemon `{daemon}`"),
        };
        Ok(self.daemons.start(&name, command)?)
    }

    /// Ends a daemon of a site as an administrator would.
    ///
    /// # Errors
    /// If its record cannot be removed.
    pub fn stop(&self, site: &str, daemon: &str) -> anyhow::Result<()> {
        let name = format!("{site}.{daemon}");
        Ok(self.daemons.stop(&name, Signal::SIGTERM, Duration::from_secs(20))?)
    }

    /// Starts every daemon of a site that does not run, and waits until the nodes are usable.
    ///
    /// # Errors
    /// If the site does not come up.
    pub fn start_everything(&self, site: &str) -> anyhow::Result<()> {
        let spec = self.spec.sites.iter().find(|known| known.name == site);
        let spec = spec.with_context(|| format!("there is no site `{site}`"))?;
        self.start_munge(site)?;
        self.start(site, "slurmdbd")?;
        let known = |place: &Lab| {
            let mut command = place.command(site, "timeout");
            succeeds(command.args(["10", "sacctmgr", "-n", "show", "cluster"]))
        };
        wait_for("slurmdbd", PATIENCE, || known(self))?;
        let clusters =
            self.command(site, "sacctmgr").args(["-n", "-P", "show", "cluster"]).output();
        if clusters.is_ok_and(|output| output.stdout.is_empty()) {
            run(self.command(site, "sacctmgr").args(["-i", "-Q", "add", "cluster", site]))?;
        }
        self.start(site, "slurmctld")?;
        for node in spec.node_names() {
            self.start(site, &format!("slurmd-{node}"))?;
        }
        wait_for(&format!("the nodes of {site}"), PATIENCE, || self.nodes_are_usable(site))
    }

    fn nodes_are_usable(&self, site: &str) -> bool {
        let mut command = self.command(site, "timeout");
        let output = command.args(["10", "sinfo", "-h", "-N", "-o", "%t"]).output();
        let Ok(output) = output else { return false };
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let usable = |state: &str| matches!(state, "idle" | "mix" | "alloc" | "comp" | "drain");
        output.status.success() && !text.is_empty() && text.lines().all(usable)
    }

    fn as_account(&self, site: &str, account: &str, program: &str) -> Command {
        let mut command = self.command(site, "setpriv");
        command.args(["--reuid", account, "--regid", account, "--clear-groups", program]);
        command
    }

    fn start_munge(&self, site: &str) -> anyhow::Result<()> {
        let dir = self.site_dir(site).join("munge");
        let _ = fs::remove_file(dir.join("socket.lock"));
        let mut command = self.as_account(site, "munge", "munged");
        command.args(["-F", "--num-threads=10"]);
        for (option, file) in [
            ("key-file", "key"),
            ("socket", "socket"),
            ("pid-file", "pid"),
            ("log-file", "log"),
            ("seed-file", "seed"),
        ] {
            command.arg(format!("--{option}={}", dir.join(file).display()));
        }
        self.daemons.start(&format!("{site}.munged"), command)?;
        wait_for("munge's socket", PATIENCE, || dir.join("socket").exists())
    }

    pub(crate) fn start_site(&self, site: &SiteSpec) -> anyhow::Result<()> {
        self.write_site(site).with_context(|| format!("files of {}", site.name))?;
        self.start_everything(&site.name)
    }

    fn write_site(&self, site: &SiteSpec) -> anyhow::Result<()> {
        let dir = self.site_dir(&site.name);
        for (name, owner) in [
            ("", "root"),
            ("etc", "root"),
            ("spool", "root"),
            ("dev", "root"),
            ("state", "slurm"),
            ("log", "slurm"),
            ("munge", "munge"),
        ] {
            fs::create_dir_all(dir.join(name))?;
            give(&dir.join(name), owner)?;
        }
        fs::set_permissions(dir.join("munge"), fs::Permissions::from_mode(0o711))?;
        let key = dir.join("munge/key");
        // A key of a closed lab on one machine: what it is made of does not matter.
        fs::write(&key, format!("{:0>64}", site.name))?;
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600))?;
        give(&key, "munge")?;
        let number = self.spec.number(&site.name)?;
        let address = self.address(&site.name)?;
        let place = Place { dir: &dir, address, number, host: &self.host };
        let files = [
            ("slurm.conf", slurm_conf::slurm(site, &place)),
            ("slurmdbd.conf", slurm_conf::slurmdbd(site, &place)),
            ("gres.conf", slurm_conf::gres_conf(site, &place)),
            ("cgroup.conf", "CgroupPlugin=cgroup/v1\n".to_owned()),
        ];
        for (name, text) in files {
            fs::write(dir.join("etc").join(name), text)?;
        }
        let conf = dir.join("etc/slurmdbd.conf");
        fs::set_permissions(&conf, fs::Permissions::from_mode(0o600))?;
        give(&conf, "slurm")?;
        self.make_devices(site)
    }

    /// Null devices under the accelerators' names: Slurm refuses anything but character devices.
    fn make_devices(&self, site: &SiteSpec) -> anyhow::Result<()> {
        for nodes in &site.nodes {
            let Some((_, kind, count)) = gres_of(nodes) else { continue };
            for index in 0..count {
                let path = self.site_dir(&site.name).join(format!("dev/{kind}-{index}"));
                if !path.exists() {
                    let path = path.display().to_string();
                    run(Command::new("mknod").args(["-m", "666", &path, "c", "1", "3"]))?;
                }
            }
        }
        Ok(())
    }

    /// One MariaDB for all sites, on a socket only.
    pub(crate) fn start_database(&self) -> anyhow::Result<()> {
        let dir = self.dir.join("mysql");
        fs::create_dir_all(&dir)?;
        give(&dir, "mysql")?;
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o711))?;
        let data = format!("--datadir={}", dir.display());
        let socket = format!("--socket={}", dir.join("sock").display());
        if !dir.join("mysql").exists() {
            let auth = "--auth-root-authentication-method=socket";
            let words = ["--no-defaults", "--user=mysql", &data, auth, "--skip-test-db"];
            run(Command::new("mariadb-install-db").args(words))?;
        }
        let mut command = Command::new("mariadbd");
        command.args(["--no-defaults", "--user=mysql", &data, &socket, "--skip-networking"]);
        command.arg(format!("--pid-file={}", dir.join("pid").display()));
        command.args(["--innodb-buffer-pool-size=64M", "--innodb-log-file-size=64M"]);
        command.args(["--innodb-flush-log-at-trx-commit=2", "--innodb-lock-wait-timeout=900"]);
        command.arg("--performance-schema=off");
        self.daemons.start("mariadb", command)?;
        let sql = |text: &str| {
            let mut command = Command::new("mariadb");
            command.args(["--no-defaults", &socket, "-e", text]);
            command
        };
        wait_for("MariaDB", PATIENCE, || succeeds(&mut sql("select 1")))?;
        run(&mut sql("create user if not exists slurm@localhost identified via unix_socket"))?;
        for site in &self.spec.sites {
            let name = &site.name;
            run(&mut sql(&format!(
                "create database if not exists slurm_{name}; \
                 grant all on slurm_{name}.* to slurm@localhost"
            )))?;
        }
        Ok(())
    }
}

fn give(path: &Path, account: &str) -> anyhow::Result<()> {
    let found = User::from_name(account)?;
    let (uid, gid): (Uid, Gid) =
        found.map(|user| (user.uid, user.gid)).with_context(|| format!("no account {account}"))?;
    Ok(nix::unistd::chown(path, Some(uid), Some(gid))?)
}
