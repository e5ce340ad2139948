//! Nothing lost, nothing twice: jobs that each append one line to a file of their own, while the
//! server and the agents are killed at random, and once at every failpoint.

use super::audit::{self, Run};
use super::dice::Dice;
use super::faults::{self, Fault, Recorded};
use super::plan::{self, Submission};
use super::submitters::Submitters;
use crate::bench::network::{Connection, Network, machine};
use crate::{binary, repo, tiers};
use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// Sites of the network, and clients that submit.
const SITES: usize = 3;
const CLIENTS: u64 = 4;

/// So many times the tasks are planned, for machines on which they are done faster than killed.
const SPARE: usize = 10;

/// Longest time in which nothing at all may happen.
const STANDSTILL: Duration = Duration::from_secs(180);

/// How a run is made; equal settings make the same submissions and faults.
#[derive(Clone, Debug, Parser)]
#[command(name = "soak crashes", no_binary_name = true)]
pub struct Settings {
    /// Tasks at least, each with a file of its own; more where these are done before everything
    /// was killed that was to be killed.
    #[arg(long, default_value_t = 2_000)]
    pub jobs: usize,
    /// Random kills.
    #[arg(long, default_value_t = 50)]
    pub kills: usize,
    /// Failpoints, each hit once, of all there are.
    #[arg(long, default_value_t = usize::MAX, hide_default_value = true)]
    pub failpoints: usize,
    /// Tasks that are unfinished at least whenever something is killed.
    #[arg(long, default_value_t = 100)]
    pub unfinished: usize,
    /// Where all random numbers come from; by default the time.
    #[arg(long, default_value_t = seed_of_time(), hide_default_value = true)]
    pub seed: u64,
    /// A binary with failpoints; by default it is built.
    #[arg(long)]
    pub binary: Option<PathBuf>,
}

/// The seconds of the clock, as a seed.
#[must_use]
pub fn seed_of_time() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(1, |time| time.as_secs())
}

impl Settings {
    /// The command that does the same again.
    #[must_use]
    pub fn command(&self) -> String {
        let Settings { jobs, kills, failpoints, unfinished, seed, .. } = self;
        let mut line = format!("cargo xtask soak --jobs {jobs} --kills {kills} --seed {seed}");
        if *failpoints != usize::MAX {
            line.push_str(&format!(" --failpoints {failpoints}"));
        }
        if *unfinished != 100 {
            line.push_str(&format!(" --unfinished {unfinished}"));
        }
        line
    }
}

/// `cargo xtask soak [crashes] …`.
///
/// # Errors
/// What was lost or done twice, and the command that reproduces it.
pub fn from_args(args: &[String]) -> Result<()> {
    let settings = Settings::try_parse_from(args)?;
    let binary = match &settings.binary {
        Some(binary) => binary.clone(),
        None => {
            tiers::build_binary(&repo::Repo::open()?)?;
            binary::built(&repo::root()).map_err(anyhow::Error::msg)?
        }
    };
    println!("{}", settings.command());
    let began = Instant::now();
    println!("{}", run(&binary, &settings)?);
    println!("{:.0} s; {}", began.elapsed().as_secs_f64(), machine());
    Ok(())
}

/// Runs it; returns what was done, in words.
///
/// # Errors
/// What was lost or done twice, and the command that reproduces it.
pub fn run(binary: &Path, settings: &Settings) -> Result<String> {
    let mut network = Network::prepare(binary)?;
    Soak::new(&mut network, settings).and_then(Soak::run).map_err(|error| {
        network.keep_folder();
        let folder = network.folder().display();
        error.context(format!("reproduce: {}\nleft behind: {folder}", settings.command()))
    })
}

struct Soak<'a> {
    network: &'a mut Network,
    settings: &'a Settings,
    dice: Dice,
    list: Vec<Submission>,
    faults: Vec<Fault>,
    recorded: Vec<Recorded>,
}

impl<'a> Soak<'a> {
    fn new(network: &'a mut Network, settings: &'a Settings) -> Result<Soak<'a>> {
        let mut dice = Dice(settings.seed);
        let mut names = plan::failpoints()?;
        if settings.failpoints < names.len() {
            dice.shuffle(&mut names);
            names.truncate(settings.failpoints);
        }
        let faults = plan::faults(&mut dice, settings.kills, &names, SITES);
        let list = plan::submissions(&mut dice, SPARE * settings.jobs, network.folder());
        ensure!(
            settings.jobs > 2 * settings.unfinished,
            "--jobs {} are too few to have {} unfinished at each kill",
            settings.jobs,
            settings.unfinished
        );
        for name in ["out", "work"] {
            std::fs::create_dir(network.folder().join(name))?;
        }
        network.start_server(&[])?;
        for site in 0..SITES {
            network.add_agent(&site_name(site), &site_file(site))?;
        }
        Ok(Soak { network, settings, dice, list, faults, recorded: Vec::new() })
    }

    fn run(mut self) -> Result<String> {
        let mut list = std::mem::take(&mut self.list);
        let (address, token) = (self.network.address.clone(), self.network.token.clone());
        let submitters = Submitters::new(&address, &token, &list);
        let struck = std::thread::scope(|scope| {
            for client in 0..CLIENTS {
                let dice = Dice(self.settings.seed ^ (client + 1) << 32);
                let submitters = &submitters;
                scope.spawn(move || submitters.work(dice));
            }
            let struck = self.strike_all(&submitters).and_then(|()| {
                let tasks = submitters.close_at(self.settings.jobs);
                self.finish(&submitters, tasks)
            });
            submitters.stop();
            struck
        });
        if let Some(wrong) = submitters.wrong() {
            bail!(wrong);
        }
        let tasks = struck?;
        let retries = submitters.retries.load(std::sync::atomic::Ordering::Relaxed);
        let ids = submitters.into_ids();
        list.retain(|submission| submission.first < tasks);
        let out = self.network.folder().join("out");
        let api = audit::ask(self.network)?;
        self.end_all()?;
        let run = Run {
            out,
            data: self.network.data.clone(),
            tasks,
            submissions: &list,
            ids,
            faults: &self.recorded,
            clusters: (0..SITES).map(site_name).collect(),
        };
        let found = audit::audit(&run, &api)?;
        audit::verify(&self.network.binary, &self.network.data)?;
        audit::nobody_left(self.network.folder())?;
        let kills = self.recorded.iter().filter(|fault| fault.fault.is_kill()).count();
        Ok(format!(
            "{tasks} tasks of {} requests ({retries} retries): every file has one line; {kills} \
             random kills and {} crashes at failpoints; {found}; journal verify clean; nobody left",
            list.len(),
            self.recorded.len() - kills
        ))
    }

    /// Does each fault once enough work was done since the one before.
    fn strike_all(&mut self, submitters: &Submitters<'_>) -> Result<()> {
        let faults = std::mem::take(&mut self.faults);
        let span = self.settings.jobs - 2 * self.settings.unfinished;
        for (number, fault) in faults.iter().enumerate() {
            let due = span * number / faults.len();
            let (done, unfinished) = self.wait_for(submitters, |done, unfinished| {
                done >= due && unfinished >= self.settings.unfinished
            })?;
            let recorded = faults::strike(self.network, &mut self.dice, fault)
                .with_context(|| format!("fault {number}: {fault}"))?;
            let seconds = (recorded.to_us - recorded.from_us) as f64 / 1e6;
            println!(
                "{:3}/{}: {fault} with {done} tasks done, {unfinished} unfinished; {seconds:.1} s",
                number + 1,
                faults.len()
            );
            self.recorded.push(recorded);
        }
        Ok(())
    }

    /// Lets everything be submitted and waits until everything is over.
    fn finish(&mut self, submitters: &Submitters<'_>, tasks: usize) -> Result<usize> {
        self.wait_for(submitters, |done, unfinished| done == tasks && unfinished == 0)?;
        let began = Instant::now();
        loop {
            let mut connection = Connection::open(&self.network.address, &self.network.token)?;
            let (status, body) = connection.get("/v1/jobs?life=live&limit=1000")?;
            let list: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
            if status == 200 && list["jobs"].as_array().is_some_and(Vec::is_empty) {
                return Ok(tasks);
            }
            if began.elapsed() > STANDSTILL {
                bail!("all files are there, but jobs are not over: status {status}, {list}");
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Waits until so many tasks are done and unfinished; lets more be submitted meanwhile.
    fn wait_for(
        &self,
        submitters: &Submitters<'_>,
        enough: impl Fn(usize, usize) -> bool,
    ) -> Result<(usize, usize)> {
        let (mut last, mut moved) = ((0, 0), Instant::now());
        loop {
            if let Some(wrong) = submitters.wrong() {
                bail!(wrong);
            }
            let done = std::fs::read_dir(self.network.folder().join("out"))?.count();
            submitters.allow(done + 3 * self.settings.unfinished);
            // A task's file may be there before its submission is acknowledged.
            let acknowledged = submitters.acknowledged();
            let unfinished = acknowledged.saturating_sub(done);
            if enough(done, unfinished) {
                return Ok((done, unfinished));
            }
            if (done, acknowledged) != last {
                (last, moved) = ((done, acknowledged), Instant::now());
            }
            if moved.elapsed() > STANDSTILL {
                bail!(
                    "nothing happens: {acknowledged} tasks submitted, {done} done (of {} planned)",
                    SPARE * self.settings.jobs
                );
            }
            std::thread::sleep(Duration::from_millis(25));
        }
    }

    fn end_all(&mut self) -> Result<()> {
        for site in 0..SITES {
            self.network.kill_agent(site)?;
        }
        self.network.stop_server()
    }
}

fn site_name(site: usize) -> String {
    format!("site{site}")
}

fn site_file(site: usize) -> String {
    let name = site_name(site);
    format!(
        "site = \"{name}\"\ncluster = \"{name}\"\ndriver = \"local\"\nhome = {}\n\
         shared_paths = [\"/\"]\n\
         [[flavor]]\nname = \"cpu\"\n\
         [[partition]]\nname = \"normal\"\ndefault = true\ntime_max = \"1:00:00\"\n\
         [[partition.nodes]]\nnames = \"{name}-n[1-2]\"\nflavor = \"cpu\"\ncpus = 4\n\
         memory = \"16G\"\n",
        site == 0
    )
}
