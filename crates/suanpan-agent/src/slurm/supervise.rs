//! The supervisor inside a job: what Slurm starts as the batch script.
//!
//! It writes the start fence before anything else, so that a start which the controller lost and
//! repeats runs nothing; then it starts the user's script as its child, waits, and writes the exit
//! file. It keeps its own signals blocked and reads them: what Slurm sends to the batch script
//! alone (`--signal=B:…`) is passed on; TERM and CONT come to the script from Slurm itself, because
//! Slurm sends them to every process of the job. Its own end is the script's, code or signal, so
//! that Slurm's record agrees.

use super::store::{self, Assignment, JobExit, Word, name, never_started};
use super::submit;
use crate::data::{board, contract};
use crate::failpoint;
use crate::local::files::{Dir, Exit, OUTPUTS, OutputFiles, PayloadStart, now};
use crate::local::stage::{self, Trouble};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::Pid;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant, SystemTime};
use suanpan_model::id::Generation;
use suanpan_model::job::{End, Launch, OpenMode, PayloadReach, Requeue, Usage};
use suanpan_site::order::RunOrder;
use suanpan_site::report::Outcome;

mod environment;

/// How often the file that says "alive" is touched, and whether to stop is looked up.
const BEAT: Duration = Duration::from_secs(5);

/// How long a job waits for the control plane to know of it before it gives its nodes back.
const HOLD_MAX: Duration = Duration::from_secs(120);

/// How often it looks for the answer in the first second, when it is expected, and later.
const HOLD_LOOK: (Duration, Duration) = (Duration::from_millis(25), Duration::from_millis(250));

/// How long the exit file is tried to be written where the disk is full.
const EXIT_FILE_MAX: Duration = Duration::from_secs(60);

/// What ends so near its time limit may have been ended by Slurm.
const LIMIT_NEAR: Duration = Duration::from_secs(10);

/// Exit code of a start on a node that does not see the job's directory.
const NOT_SEEN: u8 = 126;

/// Becomes the supervisor of the job whose script Slurm started; ends the process as the user's
/// script ended.
pub fn supervise(site_script: &Path) -> ! {
    failpoint::set_up();
    let text = fs::read_to_string(site_script).unwrap_or_default();
    let code = match submit::read_site_script(&text) {
        None => complain(site_script, "it is not whole", submit::NOTHING_RUN),
        Some((dir, _)) if !dir.is_dir() => {
            complain(&dir, "this node does not see it; nothing was started", NOT_SEEN)
        }
        Some((dir, generation)) => {
            let job = Job::open(&Dir(dir.clone()), generation);
            match job.and_then(|job| job.run()) {
                Ok(Ended::Code(code)) => code,
                Ok(Ended::Signal(signal)) => end_by(signal),
                Err(error) => complain(&dir, &error.to_string(), submit::NOTHING_RUN),
            }
        }
    };
    std::process::exit(code)
}

fn complain(path: &Path, text: &str, code: u8) -> i32 {
    eprintln!("suanpan: {}: {text}", path.display());
    code.into()
}

/// Ends this process by a signal, as its child was.
fn end_by(signal: i32) -> i32 {
    if let Ok(signal) = Signal::try_from(signal) {
        let _ = sigprocmask(SigmaskHow::SIG_UNBLOCK, Some(&SigSet::all()), None);
        let _ = kill(Pid::this(), signal);
        std::thread::sleep(Duration::from_millis(200));
    }
    128 + signal
}

/// How this process is to end.
enum Ended {
    Code(i32),
    Signal(i32),
}

/// Whether a job may begin.
enum Go {
    Yes,
    /// It ends so, for this reason.
    No(End, &'static str),
}

/// Who ends a job that has not begun.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ender {
    Agent,
    /// Its time there is up, or somebody at the site cancelled it.
    Slurm,
}

struct Job {
    dir: Dir,
    generation: Generation,
    given: Assignment,
    launch: Launch,
    began: Instant,
}

impl Job {
    fn open(dir: &Dir, generation: Generation) -> io::Result<Job> {
        let missing = |name: &str| io::Error::other(format!("{name} is missing or not whole"));
        let given: Assignment = dir.read(name::ORDER).ok_or_else(|| missing(name::ORDER))?;
        let launch: Launch = dir.read(name::LAUNCH).ok_or_else(|| missing(name::LAUNCH))?;
        Ok(Job { dir: dir.clone(), generation, given, launch, began: Instant::now() })
    }

    fn run(&self) -> io::Result<Ended> {
        // They are read where the payload is waited for.
        sigprocmask(SigmaskHow::SIG_BLOCK, Some(&SigSet::all()), None)?;
        if self.is_stopped() {
            return Err(io::Error::other("it was stopped before it began"));
        }
        if !self.pass_fence()? {
            let why = "it began before; nothing is run twice";
            return Err(io::Error::other(why));
        }
        failpoint::reached("slurm-after-fence");
        store::tell(&self.dir);
        let run = self.given.run().ok_or_else(|| io::Error::other("an order to stop"))?;
        let mut ended_there = false;
        let mut stopped = || {
            let (ended, trouble) = self.stopped()?;
            ended_there = ended == Ender::Slurm;
            Some(trouble)
        };
        let staged = contract::await_inputs(&self.dir, &self.launch, &mut stopped)
            .and_then(|()| stage::prepare_workdir(&self.dir, &self.given.site, &self.launch))
            .and_then(|()| stage::fill_workdir(&self.dir, &self.launch));
        if let Go::No(end, why) = self.await_go() {
            self.finish(never_started(end, why), Word::Ours)?;
            return Err(io::Error::other(why));
        }
        failpoint::reached("slurm-after-go");
        let staged = staged.and_then(|()| self.start_setup(run)).and_then(|()| self.payload(run));
        let mut command = match staged {
            Ok(command) => command,
            Err(trouble) => {
                eprintln!("suanpan: {}", trouble.0);
                // Its inputs may be there next time, here or elsewhere.
                let end = if ended_there { End::Lost } else { End::StartFailed };
                self.finish(never_started(end, &trouble.0), Word::Ours)?;
                return Ok(Ended::Code(1));
            }
        };
        self.begin_outputs(run);
        File::create(self.dir.file(name::ALIVE))?;
        if !store::begin(&self.dir)? {
            return Err(io::Error::other("it was given up before it began"));
        }
        let began = Instant::now();
        match spawn(&mut command) {
            Ok(child) => self.watch(child, began),
            Err(error) => {
                let why = format!("cannot run {}: {error}", command.get_program().display());
                eprintln!("suanpan: {why}");
                self.finish(never_started(End::StartFailed, &why), Word::Ours)?;
                Ok(Ended::Code(127))
            }
        }
    }

    /// Whether the time that Slurm gives this job is over, or as good as.
    fn is_over_time(&self) -> bool {
        let limit = self.given.run().map(|run| run.time_limit.seconds());
        limit.is_some_and(|limit| {
            self.began.elapsed() + LIMIT_NEAR > Duration::from_secs(limit.into())
        })
    }

    fn is_stopped(&self) -> bool {
        self.dir.marked("stop").is_some() || self.dir.has(name::END)
    }

    /// Waits until the control plane knows that this starts: what it withdrew while the site was
    /// out of contact must not.
    fn await_go(&self) -> Go {
        let since = Instant::now();
        while !store::may_go(&self.dir, self.generation) {
            if self.is_stopped() {
                return Go::No(End::Cancelled, "it was stopped before it began");
            }
            if since.elapsed() > HOLD_MAX {
                let why = "its site was out of contact with the network when it was to begin";
                return Go::No(End::Lost, why);
            }
            let is_soon = since.elapsed() < Duration::from_secs(1);
            std::thread::sleep(if is_soon { HOLD_LOOK.0 } else { HOLD_LOOK.1 });
        }
        Go::Yes
    }

    /// Whether this is the first start of the generation, or a restart that its user asked for.
    fn pass_fence(&self) -> io::Result<bool> {
        let fence = store::fence(self.generation);
        match self.dir.create_mark(&fence) {
            Ok(()) => return Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        let restart = slurm_number("SLURM_RESTART_COUNT");
        let may = self.launch.site.requeue == Requeue::OnFailure || self.dir.has(name::REQUEUE);
        if !may || restart == 0 {
            return Ok(false);
        }
        match self.dir.create_mark(&format!("{fence}.{restart}")) {
            Ok(()) => {
                // The end of the start before is not this one's.
                let _ = fs::rename(self.dir.file(name::EXIT), self.dir.file(&exit_of(restart - 1)));
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Puts the node's name where the output files' names have it, and begins the files anew unless
    /// they are added to. Slurm is told to add to them in any case: a start that runs nothing must
    /// not empty what the first one wrote.
    fn begin_outputs(&self, run: &RunOrder) {
        let Some(files) = self.dir.read::<OutputFiles>(OUTPUTS) else { return };
        let node = std::env::var("SLURMD_NODENAME").unwrap_or_default();
        let named = |path: &Path| PathBuf::from(path.display().to_string().replace("%N", &node));
        let named = OutputFiles { stdout: named(&files.stdout), stderr: named(&files.stderr) };
        if named != files {
            let _ = self.dir.write_unsynced(OUTPUTS, &named);
        }
        // As Slurm does, a requeue at the site begins them anew; one by the network keeps them.
        if run.restarts > 0 || self.launch.open_mode == OpenMode::Append {
            return;
        }
        for path in [&named.stdout, &named.stderr] {
            if fs::metadata(path).is_ok_and(|found| found.is_file()) {
                let _ = File::options().write(true).open(path).and_then(|file| file.set_len(0));
            }
        }
    }

    /// Why not to wait for inputs any longer. Signals are blocked, so TERM is looked for.
    fn stopped(&self) -> Option<(Ender, Trouble)> {
        if self.dir.marked("stop").is_some() {
            let why = "it was stopped while its inputs were staged";
            return Some((Ender::Agent, Trouble(why.into())));
        }
        let mut term = SigSet::empty();
        term.add(Signal::SIGTERM);
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        let signals = SignalFd::with_flags(&term, flags).ok()?;
        let told = signals.read_signal().ok().flatten();
        let why = "Slurm ended it there while its inputs were still on their way";
        told.map(|_| (Ender::Slurm, Trouble(why.into())))
    }

    fn start_setup(&self, run: &RunOrder) -> Result<(), Trouble> {
        let Some(setup) = &self.launch.setup else { return Ok(()) };
        let path = self.dir.file("setup");
        let about = |error: io::Error| Trouble::about("running setup", &error);
        stage::write_script(&path, &format!("#!{}\n{setup}\n", stage::shell())).map_err(about)?;
        let mut command = Command::new(&path);
        command.env_clear().envs(self.environment(run)).stdin(Stdio::null());
        command.current_dir(stage::workdir(&self.dir, &self.launch));
        let status = spawn(&mut command).and_then(|mut child| child.wait()).map_err(about)?;
        if status.success() {
            return Ok(());
        }
        Err(Trouble(format!("setup ended with {status}; the payload was not started")))
    }

    fn payload(&self, run: &RunOrder) -> Result<Command, Trouble> {
        let (program, args) = stage::payload(&self.dir, Path::new("srun"), run, &self.launch)?;
        let mut command = Command::new(program);
        command.args(args).env_clear().envs(self.environment(run));
        command.current_dir(stage::workdir(&self.dir, &self.launch));
        Ok(command)
    }

    /// Waits for the payload, passing signals on; writes down how it ended.
    fn watch(&self, mut child: Child, began: Instant) -> io::Result<Ended> {
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap_or(0));
        let first = self.dir.read::<PayloadStart>(name::PAYLOAD).map(|start| start.at);
        let start = PayloadStart { pid: pid.as_raw(), at: first.unwrap_or_else(now) };
        if let Err(error) = self.dir.write_unsynced(name::PAYLOAD, &start) {
            eprintln!("suanpan: {}: {error}", name::PAYLOAD);
        }
        let passes_term = self.launch.signal.is_some_and(|signal| signal.signal.number() == 15);
        let signals = SignalFd::with_flags(&SigSet::all(), SfdFlags::SFD_CLOEXEC)?;
        let (mut told, mut stopping) = (false, None);
        let mut beat_at = Instant::now() + BEAT;
        let status = loop {
            let left = beat_at.saturating_duration_since(Instant::now());
            let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
            let mut polled = [PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
            match poll(&mut polled, timeout) {
                Ok(0) => {
                    beat_at = Instant::now() + BEAT;
                    self.beat(pid, &mut stopping);
                    continue;
                }
                // It was stopped and continued.
                Err(Errno::EINTR) => continue,
                Err(error) => return Err(error.into()),
                Ok(_) => {}
            }
            let Some(told_of) = signals.read_signal()? else { continue };
            let number = i32::try_from(told_of.ssi_signo).unwrap_or(0);
            match Signal::try_from(number) {
                Ok(Signal::SIGCHLD) => {
                    if let Some(status) = child.try_wait()? {
                        break status;
                    }
                }
                Ok(Signal::SIGTERM) if !passes_term => told = true,
                Ok(Signal::SIGCONT) | Err(_) => {}
                Ok(signal) => {
                    told |= signal == Signal::SIGTERM;
                    let _ = kill(pid, signal);
                }
            }
        };
        // Slurm signals one process after the other: the payload may end before we are told why.
        let told = told || self.is_over_time();
        let word = if told || stopping.is_some() || status.signal().is_some() {
            Word::Slurms
        } else {
            Word::Ours
        };
        self.conclude(status, word, began)
    }

    /// Touches the file that says "alive", and ends the payload if the agent asks for it: Slurm
    /// may no longer know this job.
    fn beat(&self, pid: Pid, stopping: &mut Option<Instant>) {
        touch(&self.dir);
        if self.dir.marked("stop").is_none() {
            return;
        }
        let grace = Duration::from_secs(self.given.grace_s.into());
        let over = stopping.is_some_and(|at| at.elapsed() > grace);
        stopping.get_or_insert_with(Instant::now);
        let _ = kill(pid, if over { Signal::SIGKILL } else { Signal::SIGTERM });
    }

    fn conclude(&self, status: ExitStatus, word: Word, began: Instant) -> io::Result<Ended> {
        let (end, ended) = match (status.code(), status.signal()) {
            (Some(code), _) => {
                let code = u8::try_from(code & 255).unwrap_or(255);
                (End::Exited { code }, Ended::Code(i32::from(code)))
            }
            (None, signal) => {
                let signal = signal.unwrap_or(9);
                let number = u8::try_from(signal).unwrap_or(9);
                (End::Signalled { signal: number }, Ended::Signal(signal))
            }
        };
        let mut message = String::new();
        if !self.launch.outputs.is_empty() {
            // Copying may take longer than a supervisor may be silent.
            let dir = self.dir.clone();
            std::thread::spawn(move || {
                loop {
                    touch(&dir);
                    std::thread::sleep(BEAT);
                }
            });
        }
        if let Err(trouble) = stage::copy_back(&self.dir, &self.launch) {
            message = trouble.0;
        }
        let used = getrusage(UsageWho::RUSAGE_CHILDREN)?;
        let micros = |time: nix::sys::time::TimeVal| {
            u64::try_from(time.tv_sec() * 1_000_000 + time.tv_usec()).unwrap_or(0)
        };
        let mut usage = Usage {
            wall_us: u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX),
            cpu_us: micros(used.user_time()) + micros(used.system_time()),
            memory_peak_bytes: u64::try_from(used.max_rss()).unwrap_or(0) * 1024,
        };
        let requeues = slurm_number("SLURM_RESTART_COUNT");
        for before in 0..requeues {
            let Some(before) = self.dir.read::<JobExit>(&exit_of(before)) else { continue };
            let used = before.exit.outcome.usage;
            usage.wall_us = usage.wall_us.saturating_add(used.wall_us);
            usage.cpu_us = usage.cpu_us.saturating_add(used.cpu_us);
            usage.memory_peak_bytes = usage.memory_peak_bytes.max(used.memory_peak_bytes);
        }
        if requeues > 0 && message.is_empty() {
            let times = if requeues == 1 { "once".to_owned() } else { format!("{requeues} times") };
            message = format!("requeued {times} at the site");
        }
        let outcome = Outcome { end, payload: PayloadReach::Started, usage, message };
        // A full disk may have room again soon. If it has not, Slurm's record says how it ended.
        let until = Instant::now() + EXIT_FILE_MAX;
        while let Err(error) = self.finish(outcome.clone(), word) {
            eprintln!("suanpan: {}: {error}", name::EXIT);
            if Instant::now() > until {
                break;
            }
            touch(&self.dir);
            std::thread::sleep(Duration::from_secs(2));
        }
        Ok(ended)
    }

    fn finish(&self, outcome: Outcome, word: Word) -> io::Result<()> {
        board::note_outputs(&self.dir, &self.launch, &outcome)?;
        let started_at = self.dir.read::<PayloadStart>(name::PAYLOAD).map(|start| start.at);
        let exit = Exit { generation: self.generation, started_at, at: now(), outcome };
        let _ = fs::remove_dir_all(self.dir.file("tmp"));
        failpoint::reached("slurm-before-exit-file");
        self.dir.write(name::EXIT, &JobExit { exit, word })?;
        store::tell(&self.dir);
        Ok(())
    }
}

/// Starts a program that gets signals, though this process keeps them blocked and a child inherits
/// that. What came before is taken up again by whoever waits for signals; what comes meanwhile
/// ends this process, as it would end a script in its first line.
fn spawn(command: &mut Command) -> io::Result<Child> {
    let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
    let pending = SignalFd::with_flags(&SigSet::all(), flags)?;
    let mut early: Vec<Signal> = Vec::new();
    while let Some(found) = pending.read_signal()? {
        let number = i32::try_from(found.ssi_signo).unwrap_or(0);
        early.extend(Signal::try_from(number).ok());
    }
    SigSet::empty().thread_set_mask()?;
    let child = command.spawn();
    SigSet::all().thread_set_mask()?;
    let child = child?;
    // That a child ended is lost while it is not blocked.
    for signal in early.into_iter().chain([Signal::SIGCHLD]) {
        kill(Pid::this(), signal)?;
    }
    Ok(child)
}

/// Where the end of a start is kept after a requeue.
fn exit_of(restart: u64) -> String {
    format!("exit.{restart}.json")
}

/// Says that the supervisor of this directory is alive.
fn touch(dir: &Dir) {
    if let Ok(file) = File::options().write(true).open(dir.file(name::ALIVE)) {
        let _ = file.set_modified(SystemTime::now());
    }
}

fn slurm_number(name: &str) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}
