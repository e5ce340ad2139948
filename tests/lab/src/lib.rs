//! Real Slurm clusters on one machine, each in a network namespace of its own, joined by an
//! emulated wide area network whose delay, rate, loss and cuts are set while it runs.
//!
//! [`Lab::up`] starts one, dropping it ends it. Everything that runs is recorded by process number
//! and time of start below the lab's directory; a lab of the same prefix that was left behind by a
//! killed test is ended first. Two labs with different prefixes do not see each other.
//!
//! ```text
//! <dir>/wan            the relay              <dir>/run/<daemon>.pid   what runs
//! <dir>/links          what it reads          <dir>/log/<daemon>.out   what it said
//! <dir>/mysql/         one MariaDB for all    <dir>/<site>/            etc, state, log, munge
//! <dir>/disk/<site>/   its own small disk
//! ```

mod disk;
mod packages;
mod process;
mod site;
mod slurm_conf;
mod spec;

pub use packages::{USER, install, missing};
pub use spec::{HUB, LinkSpec, NodesSpec, Quality, SiteSpec, Spec, expand};

use anyhow::{Context as _, bail};
use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use process::Daemons;
use std::cmp::Reverse;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The relay, compiled when a lab comes up.
const WAN: &str = include_str!("wan.c");

/// A lab that runs.
pub struct Lab {
    spec: Spec,
    prefix: String,
    dir: PathBuf,
    daemons: Daemons,
    host: String,
    after: AfterDrop,
    _lock: Option<Flock<File>>,
}

/// What becomes of a lab when its handle goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum AfterDrop {
    /// It is ended and its files are removed.
    End,
    /// It goes on.
    Stay,
}

/// Directory of the lab of a prefix. Short, because sockets lie in it.
fn dir_of(prefix: &str) -> PathBuf {
    std::env::temp_dir().join(format!("suanpan-lab-{prefix}"))
}

impl Lab {
    /// Starts a lab that ends with its handle; installs what it needs.
    ///
    /// # Errors
    /// Why it cannot: no root, no packages, or what failed to start.
    pub fn up(prefix: &str, spec: Spec) -> anyhow::Result<Lab> {
        install()?;
        let dir = dir_of(prefix);
        fs::create_dir_all(&dir)?;
        let lock = File::create(dir.with_extension("lock"))?;
        let lock = Flock::lock(lock, FlockArg::LockExclusive)
            .map_err(|(_, error)| anyhow::anyhow!("waiting for another lab {prefix}: {error}"))?;
        let mut lab = Lab::at(prefix, spec)?;
        lab._lock = Some(lock);
        lab.end();
        lab.after = AfterDrop::End;
        lab.start_all()?;
        Ok(lab)
    }

    /// Finds a lab that runs, and leaves it running.
    ///
    /// # Errors
    /// If there is none of this prefix.
    pub fn find(prefix: &str) -> anyhow::Result<Lab> {
        let path = dir_of(prefix).join("spec.toml");
        let spec = Spec::read(&path).context("there is no lab of this prefix")?;
        Lab::at(prefix, spec)
    }

    fn at(prefix: &str, spec: Spec) -> anyhow::Result<Lab> {
        let dir = dir_of(prefix);
        let host = nix::unistd::gethostname()?.to_string_lossy().into_owned();
        let host = host.split('.').next().unwrap_or_default().to_owned();
        let daemons = Daemons::of(&dir);
        let (prefix, after) = (prefix.to_owned(), AfterDrop::Stay);
        Ok(Lab { spec, prefix, dir, daemons, host, after, _lock: None })
    }

    /// Lets it go on when the handle goes.
    pub fn keep(mut self) {
        self.after = AfterDrop::Stay;
    }

    /// Ends it and removes its files.
    pub fn down(mut self) {
        self.after = AfterDrop::End;
    }

    /// What it consists of.
    #[must_use]
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// Its directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Address of a place inside the lab.
    ///
    /// # Errors
    /// If there is no such place.
    pub fn address(&self, place: &str) -> anyhow::Result<String> {
        Ok(format!("10.77.{}.1", self.spec.number(place)?))
    }

    fn namespace(&self, place: &str) -> String {
        format!("{}-{place}", self.prefix)
    }

    /// A command inside a place as root, with the site's Slurm. It becomes the program by exec.
    #[must_use]
    pub fn command(&self, place: &str, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace(place), program]);
        command.env("SLURM_CONF", self.dir.join(place).join("etc/slurm.conf"));
        command
    }

    /// The same as the ordinary account [`USER`].
    #[must_use]
    pub fn user_command(&self, place: &str, program: &str) -> Command {
        let mut command = self.command(place, "setpriv");
        command.args(["--reuid", USER, "--regid", USER, "--init-groups", program]);
        command.env("HOME", format!("/home/{USER}")).env("USER", USER).env("LOGNAME", USER);
        command
    }

    /// Output of a short command of the ordinary account inside a place.
    ///
    /// # Errors
    /// If it cannot be started, or fails: then with what it said.
    pub fn ask(&self, place: &str, words: &[&str]) -> anyhow::Result<String> {
        let Some((program, args)) = words.split_first() else { bail!("no command") };
        let output = self.user_command(place, program).args(args).stdin(Stdio::null()).output()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
        if !output.status.success() {
            bail!("{} at {place}: {}", words.join(" "), text(&output.stderr));
        }
        Ok(text(&output.stdout))
    }

    /// Changes a link now, in both directions.
    ///
    /// # Errors
    /// If one of the places is unknown or the file cannot be written.
    pub fn link(&self, a: &str, b: &str, quality: Quality) -> anyhow::Result<()> {
        let (a, b) = (self.spec.number(a)?, self.spec.number(b)?);
        let text = fs::read_to_string(self.dir.join("links")).unwrap_or_default();
        let is_other = |row: &&str| {
            let mut words = row.split(' ').filter_map(|word| word.parse::<usize>().ok());
            let ends = [words.next(), words.next()];
            ends != [Some(a), Some(b)] && ends != [Some(b), Some(a)]
        };
        let mut rows: Vec<String> = text.lines().filter(is_other).map(str::to_owned).collect();
        rows.push(row(a, b, quality));
        self.write_links(&rows)
    }

    /// Nothing passes between these two until it is healed.
    ///
    /// # Errors
    /// As [`Lab::link`].
    pub fn cut(&self, a: &str, b: &str) -> anyhow::Result<()> {
        self.link(a, b, Quality::CUT)
    }

    /// The link is again as it was declared.
    ///
    /// # Errors
    /// As [`Lab::link`]; if none was declared.
    pub fn heal(&self, a: &str, b: &str) -> anyhow::Result<()> {
        let joins = |link: &&LinkSpec| {
            link.between == [a.to_owned(), b.to_owned()]
                || link.between == [b.to_owned(), a.to_owned()]
        };
        let declared = self.spec.links.iter().find(joins);
        let quality = declared.with_context(|| format!("no link joins {a} and {b}"))?.quality;
        self.link(a, b, quality)
    }

    fn write_links(&self, rows: &[String]) -> anyhow::Result<()> {
        let temporary = self.dir.join("links.new");
        fs::write(&temporary, rows.join("\n") + "\n")?;
        fs::rename(temporary, self.dir.join("links"))?;
        self.daemons.signal("wan", Signal::SIGHUP);
        Ok(())
    }

    /// Kills a daemon of a site as a crash would: `slurmctld`, `slurmdbd`, `munged`,
    /// `slurmd-<node>`, or `all`, the site's power, with every job.
    ///
    /// # Errors
    /// If there is no such daemon.
    pub fn kill9(&self, site: &str, daemon: &str) -> anyhow::Result<()> {
        let all = format!("{site}.");
        let name = format!("{site}.{daemon}");
        let is_meant = |known: &String| {
            if daemon == "all" { known.starts_with(&all) } else { *known == name }
        };
        let names: Vec<String> = self.daemons.names().into_iter().filter(is_meant).collect();
        if names.is_empty() {
            bail!("{site} has no daemon `{daemon}` that was started");
        }
        if daemon == "all" {
            process::freeze(|| self.inside(site));
            self.kill_inside(site);
        }
        for name in &names {
            self.daemons.stop(name, Signal::SIGKILL, Duration::from_secs(5))?;
        }
        Ok(())
    }

    /// Kills every process inside the namespace of a place; it is ours, so they are too. The newest
    /// first: what stands still and loses its parent would be sent HUP and CONT by the kernel.
    fn kill_inside(&self, place: &str) {
        let mut pids = self.inside(place);
        pids.sort_by_key(|pid| Reverse((process::start_of(*pid), *pid)));
        for pid in pids {
            let _ = kill(pid, Signal::SIGKILL);
        }
    }

    /// The processes inside the namespace of a place.
    fn inside(&self, place: &str) -> Vec<Pid> {
        let pids = Command::new("ip").args(["netns", "pids", &self.namespace(place)]).output();
        let text = pids.map(|output| output.stdout).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        text.lines().filter_map(|line| line.parse().ok().map(Pid::from_raw)).collect()
    }

    fn start_all(&self) -> anyhow::Result<()> {
        for name in ["run", "log", "bin"] {
            fs::create_dir_all(self.dir.join(name))?;
        }
        // The package slurm-wlm-emulator may have taken the names over, and Slurm's daemons know
        // themselves by their first word.
        for name in ["slurmctld", "slurmd", "slurmstepd"] {
            let real = format!("/usr/sbin/{name}-wlm");
            std::os::unix::fs::symlink(real, self.dir.join("bin").join(name))?;
        }
        self.write_spec()?;
        // Before the daemons, which each see the mounts of the moment they are started.
        self.spec.sites.iter().try_for_each(|site| self.mount_disk(site))?;
        self.start_network()?;
        self.start_database()?;
        std::thread::scope(|scope| {
            let sites = self.spec.sites.iter().map(|site| scope.spawn(|| self.start_site(site)));
            let sites: Vec<_> = sites.collect();
            let done = sites.into_iter().map(|one| one.join().expect("threads do not panic"));
            done.collect::<anyhow::Result<Vec<()>>>()
        })?;
        Ok(())
    }

    /// The spec as a file, so that the lab can be found again.
    fn write_spec(&self) -> anyhow::Result<()> {
        let mut text = String::new();
        for site in &self.spec.sites {
            writeln!(text, "[[site]]\nname = {:?}", site.name)?;
            if let Some(size) = site.disk_mib {
                writeln!(text, "disk_mib = {size}")?;
            }
            for nodes in &site.nodes {
                writeln!(
                    text,
                    "[[site.nodes]]\nnames = {:?}\ncpus = {}\nmemory = {}\npartition = {:?}\n\
                     time_max = {:?}",
                    nodes.names, nodes.cpus, nodes.memory, nodes.partition, nodes.time_max
                )?;
                if let Some(gres) = &nodes.gres {
                    writeln!(text, "gres = {gres:?}")?;
                }
            }
        }
        for LinkSpec { between, quality } in &self.spec.links {
            writeln!(
                text,
                "[[link]]\nbetween = {between:?}\nrtt_ms = {:?}\nmbit = {:?}\nloss = {:?}\n\
                 jitter_ms = {:?}",
                quality.rtt_ms, quality.mbit, quality.loss, quality.jitter_ms
            )?;
        }
        Ok(fs::write(self.dir.join("spec.toml"), text)?)
    }

    fn start_network(&self) -> anyhow::Result<()> {
        let (source, relay) = (self.dir.join("wan.c"), self.dir.join("wan"));
        fs::write(&source, WAN)?;
        run(Command::new("cc").arg("-O2").arg("-o").arg(&relay).arg(&source))?;
        let mut command = Command::new(&relay);
        command.arg(self.dir.join("links"));
        for place in self.spec.places() {
            let namespace = self.namespace(place);
            run(Command::new("ip").args(["netns", "add", &namespace]))?;
            run(Command::new("ip").args(["-n", &namespace, "link", "set", "lo", "up"]))?;
            command.arg(namespace);
        }
        let rows = self.spec.links.iter().map(|LinkSpec { between: [a, b], quality }| {
            Ok(row(self.spec.number(a)?, self.spec.number(b)?, *quality))
        });
        self.write_links(&rows.collect::<anyhow::Result<Vec<String>>>()?)?;
        self.daemons.start("wan", command)?;
        for place in self.spec.places() {
            self.join_network(place)?;
        }
        Ok(())
    }

    fn join_network(&self, place: &str) -> anyhow::Result<()> {
        let namespace = self.namespace(place);
        let ip = |words: &[&str]| {
            let mut command = Command::new("ip");
            command.args(["-n", &namespace]).args(words).stderr(Stdio::null());
            command
        };
        wait_for("wan0", Duration::from_secs(10), || succeeds(&mut ip(&["link", "show", "wan0"])))?;
        let address = format!("{}/24", self.address(place)?);
        run(&mut ip(&["addr", "add", &address, "dev", "wan0"]))?;
        run(&mut ip(&["link", "set", "wan0", "up", "txqueuelen", "10000"]))?;
        run(&mut ip(&["route", "add", "10.77.0.0/16", "dev", "wan0"]))?;
        // `ip netns exec` shows these instead of the machine's own.
        let etc = Path::new("/etc/netns").join(&namespace);
        fs::create_dir_all(&etc)?;
        let mut hosts = format!("127.0.0.1 localhost {}\n", self.host);
        for other in self.spec.places() {
            writeln!(hosts, "{} {other}", self.address(other)?)?;
        }
        Ok(fs::write(etc.join("hosts"), hosts)?)
    }

    /// Ends whatever of this prefix runs, and removes it.
    fn end(&self) {
        let names = self.daemons.names();
        let patience = Duration::from_secs(10);
        // The controllers first, because they save what they know; then the rest, side by side.
        let (first, rest): (Vec<_>, Vec<_>) =
            names.iter().partition(|name| name.ends_with(".slurmctld"));
        for group in [first, rest] {
            std::thread::scope(|scope| {
                for name in group {
                    scope.spawn(move || self.daemons.stop(name, Signal::SIGTERM, patience));
                }
            });
        }
        let prefix = format!("{}-", self.prefix);
        let there = fs::read_dir("/run/netns").into_iter().flatten().flatten();
        for namespace in there.filter_map(|entry| entry.file_name().into_string().ok()) {
            let Some(place) = namespace.strip_prefix(&prefix) else { continue };
            self.kill_inside(place);
            let _ = run(Command::new("ip").args(["netns", "del", &namespace]));
            let _ = fs::remove_dir_all(Path::new("/etc/netns").join(&namespace));
        }
        self.unmount_disks();
        let _ = fs::remove_dir_all(&self.dir);
        let _ = fs::create_dir_all(&self.dir);
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if self.after == AfterDrop::End {
            self.end();
            let _ = fs::remove_dir_all(&self.dir);
        }
    }
}

fn row(a: usize, b: usize, quality: Quality) -> String {
    let Quality { rtt_ms, mbit, loss, jitter_ms } = quality;
    let (rtt_us, loss_ppm, jitter_us) = (rtt_ms * 1e3, loss * 1e4, jitter_ms * 1e3);
    format!("{a} {b} {rtt_us:.0} {mbit} {loss_ppm:.0} {jitter_us:.0}")
}

/// Runs a command that must succeed.
fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::piped()).output()?;
    if !output.status.success() {
        bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim_end());
    }
    Ok(())
}

fn succeeds(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

fn wait_for(
    what: &str,
    patience: Duration,
    mut condition: impl FnMut() -> bool,
) -> anyhow::Result<()> {
    let until = Instant::now() + patience;
    while !condition() {
        if Instant::now() > until {
            bail!("waited {} s for {what}", patience.as_secs());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}
