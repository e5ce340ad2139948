//! A network on this machine: one server, three agents, each a process of its own, in a fresh
//! temporary directory.

use super::files;
use crate::client::Client;
use crate::client::api::{Action, JobQuery};
use crate::client::settings::Settings;
use crate::failure::Failure;
use crate::interrupt::Interrupts;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::ffi::OsString;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use suanpan_wire::v1::Contact;
use tempfile::TempDir;

/// Longest wait for the server, then for the sites. Far more than is needed on a free machine.
const START_TIME: Duration = Duration::from_secs(90);

/// Longest wait for jobs to end once they were cancelled.
const CANCEL_TIME: Duration = Duration::from_secs(10);

/// Longest wait for a process that was asked to end.
const STOP_TIME: Duration = Duration::from_secs(10);

/// Marks every process that a job of this demo starts.
const MARK: &str = "SUANPAN_DEMO_DIR";

/// The processes, and where they keep their files.
pub struct Network {
    dir: Option<TempDir>,
    path: PathBuf,
    exe: PathBuf,
    children: Vec<(String, Child)>,
    url: String,
}

impl Network {
    /// Writes the files and starts the server.
    pub fn start(interrupts: &Interrupts) -> Result<Network, Failure> {
        let dir = tempfile::Builder::new().prefix("suanpan-demo-").tempdir().map_err(|error| {
            Failure::other(format!("cannot make a temporary directory: {error}"))
                .hint("TMPDIR names a directory to make it in")
        })?;
        let path = dir.path().to_owned();
        let exe = std::env::current_exe()?;
        let children = Vec::new();
        let mut network = Network { dir: Some(dir), path, exe, children, url: String::new() };
        files::write(&network.path)?;
        fs::create_dir(network.path.join("home"))?;
        network.spawn_server()?;
        network.url = network.await_server(interrupts)?;
        Ok(network)
    }

    /// Where everything is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Folder of a lab.
    pub fn lab(&self, name: &str) -> PathBuf {
        self.path.join("labs").join(name)
    }

    /// Address of the server.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// File with the user's token.
    pub fn token_file(&self) -> PathBuf {
        self.path.join("server/user.token")
    }

    /// Process ids of the server and the agents.
    pub fn pids(&self) -> Vec<u32> {
        self.children.iter().map(|(_, child)| child.id()).collect()
    }

    /// A connection as the first user.
    pub fn client(&self) -> Result<Client, Failure> {
        let token = fs::read_to_string(self.token_file())?.trim().to_owned();
        let client = Client::new(Settings { server: self.url.clone(), token, ca_file: None })?;
        Ok(client.patient(Duration::from_secs(20)))
    }

    /// This binary, as a user would call it.
    pub fn command(&self) -> Command {
        let mut command = self.bare_command();
        command.env("SUANPAN_SERVER", &self.url).env("SUANPAN_TOKEN_FILE", self.token_file());
        command.env(MARK, &self.path);
        command
    }

    /// This binary with a small environment: what the user has set must not change the demo.
    fn bare_command(&self) -> Command {
        let mut command = Command::new(&self.exe);
        command.env_clear().stdin(Stdio::null());
        for name in ["PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "USER"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.env("HOME", self.path.join("home"));
        command
    }

    fn spawn(&mut self, name: &str, args: &[OsString]) -> Result<(), Failure> {
        let log = fs::File::create(self.path.join(format!("{name}.log")))?;
        let mut command = self.bare_command();
        // A process group of its own: Ctrl-C reaches the demo only, which then ends the others.
        command.args(args).current_dir(&self.path).process_group(0);
        command.stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().map_err(|error| {
            Failure::other(format!("cannot start {}: {error}", self.exe.display()))
        })?;
        self.children.push((name.to_owned(), child));
        Ok(())
    }

    fn spawn_server(&mut self) -> Result<(), Failure> {
        let data = self.path.join("server");
        let args = ["server".into(), "--listen".into(), "127.0.0.1:0".into(), "--data-dir".into()];
        let args: Vec<OsString> = args.into_iter().chain([data.into_os_string()]).collect();
        self.spawn("server", &args)
    }

    fn await_server(&mut self, interrupts: &Interrupts) -> Result<String, Failure> {
        let until = Instant::now() + START_TIME;
        loop {
            let address = fs::read_to_string(self.path.join("server/server.addr"));
            if let Ok(address) = address
                && !address.trim().is_empty()
                && self.token_file().exists()
            {
                let address = address.trim().to_owned();
                let has_scheme = address.starts_with("http");
                return Ok(if has_scheme { address } else { format!("http://{address}") });
            }
            self.check("the server", until, interrupts)?;
        }
    }

    /// Lets the three sites join and starts their agents.
    pub fn join_sites(&mut self) -> Result<(), Failure> {
        let client = self.client()?;
        for (cluster, site_file) in files::SITES {
            let token = client.add_site(cluster)?.token;
            let token_file = self.path.join(format!("{cluster}.token"));
            write_secret(&token_file, &token)?;
            let state_dir = self.path.join("agents").join(cluster);
            let args: Vec<OsString> = [
                "agent".into(),
                "--server".into(),
                self.url.clone().into(),
                "--token-file".into(),
                token_file.into_os_string(),
                "--site-file".into(),
                self.path.join(site_file).into_os_string(),
                "--state-dir".into(),
                state_dir.into_os_string(),
            ]
            .into();
            self.spawn(cluster, &args)?;
        }
        Ok(())
    }

    /// Waits until all sites are in contact.
    pub fn await_sites(
        &mut self,
        interrupts: &Interrupts,
        mut say: impl FnMut(usize),
    ) -> Result<(), Failure> {
        let client = self.client()?;
        let until = Instant::now() + START_TIME;
        loop {
            let sites = client.sites()?.sites;
            let there = sites.iter().filter(|site| site.contact == Contact::Reachable).count();
            say(there);
            if there == files::SITES.len() {
                return Ok(());
            }
            self.check("the sites", until, interrupts)?;
        }
    }

    /// A short pause; an error if a process ended, the time is over or Ctrl-C was pressed.
    fn check(
        &mut self,
        what: &str,
        until: Instant,
        interrupts: &Interrupts,
    ) -> Result<(), Failure> {
        self.check_children()?;
        if interrupts.count() > 0 {
            return Err(Failure::interrupted());
        }
        if Instant::now() > until {
            let seconds = START_TIME.as_secs();
            return Err(Failure::other(format!("{what} did not come up within {seconds} s")));
        }
        std::thread::sleep(Duration::from_millis(50));
        Ok(())
    }

    /// An error with the end of its log if a process ended by itself.
    pub fn check_children(&mut self) -> Result<(), Failure> {
        for (name, child) in &mut self.children {
            if let Some(status) = child.try_wait()? {
                let log = self.path.join(format!("{name}.log"));
                let text = fs::read_to_string(log).unwrap_or_default();
                let lines: Vec<&str> = text.lines().collect();
                let last = lines[lines.len().saturating_sub(5)..].join("\n");
                return Err(Failure::other(format!("{name} ended ({status})\n{last}")));
            }
        }
        Ok(())
    }

    /// Leaves everything running, with a script that stops it; answers that script's path.
    pub fn keep(mut self) -> Result<PathBuf, Failure> {
        let stop = self.path.join("stop");
        fs::write(self.path.join("env"), self.env_script())?;
        fs::write(&stop, self.stop_script())?;
        if let Some(dir) = self.dir.take() {
            let _ = dir.keep();
        }
        self.children.clear();
        Ok(stop)
    }

    fn env_script(&self) -> String {
        let bin = self.exe.parent().unwrap_or_else(|| Path::new("/usr/bin"));
        format!(
            "export SUANPAN_SERVER='{}'\nexport SUANPAN_TOKEN_FILE='{}'\n\
             export PATH='{}':\"$PATH\"\n",
            self.url,
            self.token_file().display(),
            bin.display()
        )
    }

    fn stop_script(&self) -> String {
        let pids: Vec<String> = self.pids().iter().map(u32::to_string).collect();
        format!(
            "#!/bin/sh\n# Stops the demo's network and removes its files.\n\
             . '{dir}/env'\n\
             JOBS=$(suanpan ps -q --limit 0) && [ -n \"$JOBS\" ] && suanpan cancel $JOBS && \
             suanpan wait --timeout 10 $JOBS\n\
             kill -TERM {pids} 2>/dev/null\n\
             for pid in {pids}; do\n\
             \tfor i in 1 2 3 4 5 6 7 8 9 10; do kill -0 $pid 2>/dev/null && sleep 0.5; done\n\
             done\n\
             kill -KILL {pids} 2>/dev/null\n\
             rm -rf '{dir}'\n",
            dir = self.path.display(),
            pids = pids.join(" "),
        )
    }

    /// Ends the jobs, the agents and the server, and removes the files.
    pub fn stop(&mut self) {
        if self.children.is_empty() {
            return;
        }
        if !self.url.is_empty() {
            self.cancel_jobs();
        }
        // Agents first: they tell the server what became of their jobs.
        for (_, child) in self.children.iter().rev() {
            signal(child.id(), Signal::SIGTERM);
        }
        let until = Instant::now() + STOP_TIME;
        for (_, child) in &mut self.children {
            while matches!(child.try_wait(), Ok(None)) && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(20));
            }
            let _ = child.kill();
            let _ = child.wait();
        }
        self.children.clear();
        self.end_orphans();
    }

    fn cancel_jobs(&self) {
        let Ok(client) = self.client().map(|client| client.patient(Duration::from_secs(1))) else {
            return;
        };
        let live = JobQuery { life: "live", ..JobQuery::default() };
        let until = Instant::now() + CANCEL_TIME;
        let mut asked = Vec::new();
        while let Ok(list) = client.jobs(&live) {
            for job in &list.jobs {
                if !asked.contains(&job.id) {
                    asked.push(job.id);
                    let _ = client.act(&job.id.to_string(), Action::Cancel);
                }
            }
            if list.jobs.is_empty() || Instant::now() > until {
                return;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Kills what is left of jobs whose agent could no longer end them: processes of ours that
    /// carry this demo's mark, or supervisors of a job in its directory.
    fn end_orphans(&self) {
        let mark = format!("{MARK}={}", self.path.display());
        let state = self.path.join("agents").display().to_string();
        let Ok(processes) = fs::read_dir("/proc") else { return };
        for process in processes.flatten() {
            let Some(pid) = process.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            let has = |file: &str, wanted: &dyn Fn(&[u8]) -> bool| {
                let bytes = fs::read(process.path().join(file)).unwrap_or_default();
                bytes.split(|byte| *byte == 0).any(wanted)
            };
            let marked = has("environ", &|entry| entry == mark.as_bytes());
            let supervisor = || has("cmdline", &|word| word.starts_with(state.as_bytes()));
            if pid != std::process::id() && (marked || supervisor()) {
                signal(pid, Signal::SIGKILL);
            }
        }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.stop();
    }
}

fn signal(pid: u32, which: Signal) {
    if let Ok(pid) = i32::try_from(pid) {
        // It may have ended already.
        let _ = kill(Pid::from_raw(pid), which);
    }
}

fn write_secret(path: &Path, secret: &str) -> Result<(), Failure> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    Ok(writeln!(file, "{secret}")?)
}
