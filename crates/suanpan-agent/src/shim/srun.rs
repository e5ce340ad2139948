//! `srun` inside a job: starts a step, one process for each task, over the job's nodes.
//!
//! The nodes of a local site are all this machine; a task of node *k* joins that node's control
//! group and sees that node's accelerators and name (`SLURMD_NODENAME`; the `hostname` program
//! still prints the machine's own).

use super::srun_options::{Export, StepOptions, parse};
use crate::local::cgroup::JobGroups;
use crate::local::environment::{repeated, resolve_master, tasks_on_nodes};
use crate::local::files::{Assignment, Dir};
use crate::local::{devices, enter, group_name, processes};
use nix::sys::signal::{SigSet, Signal};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use suanpan_model::hostlist::Hostlist;
use suanpan_model::pattern::{Fields, FilePattern};

/// Signals that a step passes on to its tasks.
const FORWARDED: [Signal; 7] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGCONT,
];

pub fn main(args: &[String]) -> ExitCode {
    match prepare(args).and_then(|step| step.run()) {
        Ok(code) => ExitCode::from(code),
        Err(message) => {
            eprintln!("srun: error: {message}");
            ExitCode::from(1)
        }
    }
}

/// A step that is ready to start.
struct Step {
    options: StepOptions,
    number: u32,
    assignment: Assignment,
    /// Indexes into the job's nodes.
    nodes: Vec<usize>,
    layout: Vec<u32>,
    workdir: PathBuf,
}

/// Where one task stands.
#[derive(Clone, Copy)]
struct Place {
    rank: u32,
    local: u32,
    /// Position among the step's nodes.
    node: usize,
}

fn prepare(args: &[String]) -> Result<Step, String> {
    let options = parse(args)?;
    let Some(dir) = std::env::var_os(processes::MARK) else {
        return Err("not inside a job; submit one first".into());
    };
    let dir = Dir(PathBuf::from(dir));
    let assignment: Assignment =
        dir.read("order.json").ok_or("the job's order.json cannot be read")?;
    let run = assignment.run().map_err(|error| error.to_string())?;
    let nodes = choose_nodes(&options, &run.nodes)?;
    let layout = layout(&options, nodes.len())?;
    let number = next_step(&dir).map_err(|error| format!("counting steps: {error}"))?;
    let current = std::env::current_dir().map_err(|error| error.to_string())?;
    let workdir = match &options.chdir {
        Some(path) => current.join(path),
        None => current,
    };
    if !workdir.is_dir() {
        return Err(format!("--chdir: {} is no directory", workdir.display()));
    }
    Ok(Step { options, number, assignment, nodes, layout, workdir })
}

fn choose_nodes(options: &StepOptions, names: &[String]) -> Result<Vec<usize>, String> {
    if let Some(list) = &options.nodelist {
        let list: Hostlist = list.parse().map_err(|error| format!("--nodelist: {error}"))?;
        let find = |name: String| {
            let index = names.iter().position(|known| *known == name);
            index.ok_or_else(|| format!("--nodelist: `{name}` is not one of the job's nodes"))
        };
        return list.expand().into_iter().map(find).collect();
    }
    let first = options.relative as usize;
    let there = names.len().saturating_sub(first);
    let tasks = options.tasks.or_else(|| number("SLURM_NTASKS")).unwrap_or(1);
    // Fewer tasks than nodes need only as many nodes.
    let wanted = match options.nodes {
        Some(nodes) => nodes as usize,
        None if options.tasks.is_some() => there.min(tasks as usize),
        None => there,
    };
    if wanted > there || wanted == 0 {
        return Err(format!(
            "{wanted} nodes from number {first} on are more than the job has ({})",
            names.len()
        ));
    }
    Ok((first..first + wanted).collect())
}

fn layout(options: &StepOptions, nodes: usize) -> Result<Vec<u32>, String> {
    let count = u32::try_from(nodes).unwrap_or(u32::MAX);
    let job_tasks = number("SLURM_NTASKS").unwrap_or(1);
    let job_per_node = number("SLURM_NTASKS_PER_NODE");
    let (tasks, per_node) = match (options.tasks, options.tasks_per_node) {
        (Some(tasks), per_node) => (tasks, per_node),
        (None, Some(per_node)) => (per_node.saturating_mul(count), Some(per_node)),
        // `-N` alone gives one task on each node, as in Slurm.
        (None, None) if options.nodes.is_some() && job_per_node.is_none() => {
            (job_tasks.max(count), None)
        }
        (None, None) => match job_per_node {
            Some(per_node) => (per_node.saturating_mul(count), Some(per_node)),
            None => (job_tasks.max(1), None),
        },
    };
    let layout = tasks_on_nodes(tasks, per_node, nodes);
    if layout.iter().sum::<u32>() < tasks {
        let per_node = per_node.unwrap_or(0);
        return Err(format!(
            "{tasks} tasks do not fit on {nodes} nodes with {per_node} tasks on each"
        ));
    }
    Ok(layout)
}

fn number(variable: &str) -> Option<u32> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Numbers steps from 0 over the whole job.
fn next_step(dir: &Dir) -> io::Result<u32> {
    for number in 0..u32::MAX {
        // Steps are counted within one run of the script, so nothing need survive the machine.
        let path = dir.file(&format!("step.{number}"));
        match OpenOptions::new().write(true).create_new(true).open(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => return other.map(|_| number),
        }
    }
    Err(io::Error::other("too many steps"))
}

impl Step {
    fn run(&self) -> Result<u8, String> {
        let mut set = SigSet::empty();
        for signal in FORWARDED {
            set.add(signal);
        }
        // Blocked before any thread starts, so that only the forwarding thread takes them.
        set.thread_block().map_err(|error| error.to_string())?;
        let pids: Arc<Mutex<Vec<i32>>> = Arc::default();
        forward(set, pids.clone());
        let input = self.shared_input()?;
        let mut files = OutputFiles::default();
        let mut tasks: Vec<(u32, Child)> = Vec::new();
        let mut pumps = Vec::new();
        for place in self.places() {
            let spawned = self.start(place, &input, &mut files, &mut pumps);
            match spawned {
                Ok(child) => {
                    let pid = i32::try_from(child.id()).unwrap_or(0);
                    pids.lock().expect("no holder of this lock panics").push(pid);
                    tasks.push((place.rank, child));
                }
                Err(message) => {
                    kill(&pids);
                    for (_, mut child) in tasks {
                        let _ = child.wait();
                    }
                    return Err(message);
                }
            }
        }
        let code = self.wait(tasks, &pids);
        for pump in pumps {
            let _ = pump.join();
        }
        Ok(code)
    }

    fn places(&self) -> Vec<Place> {
        let mut places = Vec::new();
        let mut rank = 0;
        for (node, &count) in self.layout.iter().enumerate() {
            for local in 0..count {
                places.push(Place { rank, local, node });
                rank += 1;
            }
        }
        places
    }

    fn start(
        &self,
        place: Place,
        input: &Input,
        files: &mut OutputFiles,
        pumps: &mut Vec<JoinHandle<()>>,
    ) -> Result<Child, String> {
        let node = self.nodes[place.node];
        let groups = JobGroups::of(&self.assignment.cgroups, &group_name(&self.assignment));
        let mut command = Command::new(&self.assignment.exe);
        command
            .args(enter::arguments(&groups.joins(node)))
            .args(&self.options.command)
            .env_clear()
            .envs(self.environment(place))
            .current_dir(&self.workdir)
            .process_group(0);
        command.stdin(input.of(place.rank)?);
        let out = self.open(self.options.output.as_deref(), place, files)?;
        let error_pattern = self.options.error.as_deref();
        let err = match (&out, error_pattern) {
            // Without `-e`, errors go where the output goes.
            (Some(out), None) => Some(out.try_clone().map_err(|error| error.to_string())?),
            _ => self.open(error_pattern, place, files)?,
        };
        let piped = |file: Option<File>| match file {
            Some(file) => Stdio::from(file),
            None if self.options.label => Stdio::piped(),
            None => Stdio::inherit(),
        };
        command.stdout(piped(out)).stderr(piped(err));
        let mut child = command.spawn().map_err(|error| error.to_string())?;
        let width = self.layout.iter().sum::<u32>().saturating_sub(1).to_string().len();
        let label = format!("{:>width$}: ", place.rank);
        if let Some(out) = child.stdout.take() {
            pumps.push(pump(out, io::stdout(), label.clone()));
        }
        if let Some(err) = child.stderr.take() {
            pumps.push(pump(err, io::stderr(), label));
        }
        Ok(child)
    }

    fn environment(&self, place: Place) -> BTreeMap<String, String> {
        let mut env = self.exported();
        let Ok(run) = self.assignment.run() else { return env };
        resolve_master(&mut env, &run.nodes);
        let node = self.nodes[place.node];
        let names: Vec<String> = self.nodes.iter().map(|&n| run.nodes[n].clone()).collect();
        let tasks = self.layout.iter().sum::<u32>();
        let ids: Vec<u32> =
            self.places().iter().filter(|p| p.node == place.node).map(|p| p.rank).collect();
        let mut set = |name: &str, value: String| {
            env.insert(name.to_owned(), value);
        };
        set("SLURM_PROCID", place.rank.to_string());
        set("SLURM_LOCALID", place.local.to_string());
        set("SLURM_NODEID", place.node.to_string());
        set("SLURM_STEP_ID", self.number.to_string());
        set("SLURM_STEPID", self.number.to_string());
        set("SLURM_GTIDS", devices::join(&ids));
        set("SLURMD_NODENAME", run.nodes[node].clone());
        set("SLURM_STEP_NODELIST", Hostlist::compress(&names).to_string());
        set("SLURM_STEP_NUM_NODES", names.len().to_string());
        set("SLURM_STEP_NUM_TASKS", tasks.to_string());
        set("SLURM_STEP_TASKS_PER_NODE", repeated(&self.layout));
        set("SLURM_NTASKS", tasks.to_string());
        set("SLURM_NPROCS", tasks.to_string());
        set("SLURM_NNODES", names.len().to_string());
        set("SLURM_TASKS_PER_NODE", repeated(&self.layout));
        if let Some(cpus) = self.options.cpus_per_task {
            set("SLURM_CPUS_PER_TASK", cpus.to_string());
        }
        set("RANK", place.rank.to_string());
        set("LOCAL_RANK", place.local.to_string());
        set("NODE_RANK", place.node.to_string());
        set("GROUP_RANK", place.node.to_string());
        set("WORLD_SIZE", tasks.to_string());
        set("LOCAL_WORLD_SIZE", self.layout[place.node].to_string());
        set("NNODES", names.len().to_string());
        if std::env::var_os("SKYPILOT_NUM_NODES").is_some() {
            set("SKYPILOT_NODE_RANK", place.node.to_string());
        }
        let mut gpus = self.assignment.gpus.get(node).cloned().unwrap_or_default();
        if let Some(each) = self.options.gpus_per_task {
            let first = (each * place.local) as usize;
            gpus = gpus.into_iter().skip(first).take(each as usize).collect();
        }
        if self.assignment.nodes_have_gpus
            && let Some((variable, value)) = devices::visibility(&run.flavor, &gpus)
        {
            set(variable, value);
        }
        env
    }

    /// The script's variables that a task gets.
    fn exported(&self) -> BTreeMap<String, String> {
        let all = || {
            std::env::vars_os().filter_map(|(name, value)| {
                Some((name.into_string().ok()?, value.into_string().ok()?))
            })
        };
        match &self.options.export {
            Export::All => all().collect(),
            Export::AllAnd(more) => all().chain(more.iter().cloned()).collect(),
            Export::Only(names) => {
                let site = |name: &str| {
                    name.starts_with("SLURM") || name.starts_with("SUANPAN_") || name == "PATH"
                };
                let mut env: BTreeMap<String, String> =
                    all().filter(|(name, _)| site(name)).collect();
                for (name, value) in names {
                    let value = value.clone().or_else(|| std::env::var(name).ok());
                    env.extend(value.map(|value| (name.clone(), value)));
                }
                env
            }
        }
    }

    fn path(&self, pattern: &str, place: Place) -> Result<PathBuf, String> {
        let run = self.assignment.run().map_err(|error| error.to_string())?;
        let parsed: FilePattern = pattern.parse().map_err(|error| format!("{error}"))?;
        let name = &run.nodes[self.nodes[place.node]];
        let fields = Fields {
            job: run.job.0,
            array: run.array.as_ref().map(|array| (array.job.0, array.index)),
            name: self.options.name.as_deref().unwrap_or(&run.name),
            user: &run.user,
            node_name: name.split('.').next().unwrap_or(name),
            node: u32::try_from(place.node).unwrap_or(u32::MAX),
            task: place.rank,
            step: Some(self.number),
        };
        Ok(self.workdir.join(parsed.render(&fields)))
    }

    fn open(
        &self,
        pattern: Option<&str>,
        place: Place,
        files: &mut OutputFiles,
    ) -> Result<Option<File>, String> {
        let Some(pattern) = pattern else { return Ok(None) };
        let path = match pattern {
            "none" => PathBuf::from("/dev/null"),
            pattern => self.path(pattern, place)?,
        };
        let append = self.options.append || path.starts_with("/dev");
        files.open(&path, append).map(Some).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Task 0 reads what the script would read; a pattern or `none` says otherwise.
    fn shared_input(&self) -> Result<Input, String> {
        match self.options.input.as_deref() {
            None | Some("all") => Ok(Input::First),
            Some("none") => Ok(Input::None),
            Some(pattern) if pattern.contains('%') => {
                let paths = self.places().into_iter().map(|place| self.path(pattern, place));
                Ok(Input::Files(paths.collect::<Result<_, _>>()?))
            }
            Some(path) => Ok(Input::Files(vec![self.workdir.join(path)])),
        }
    }

    /// The highest code of the tasks, 128 more than the number of a signal.
    fn wait(&self, tasks: Vec<(u32, Child)>, pids: &Arc<Mutex<Vec<i32>>>) -> u8 {
        let (sender, ended) = std::sync::mpsc::channel();
        for (rank, mut child) in tasks {
            let sender = sender.clone();
            std::thread::spawn(move || {
                let pid = i32::try_from(child.id()).unwrap_or(0);
                let _ = sender.send((rank, pid, child.wait()));
            });
        }
        drop(sender);
        let mut highest = 0;
        let mut killed = false;
        for (rank, pid, status) in ended {
            pids.lock().expect("no holder of this lock panics").retain(|&known| known != pid);
            let code = status.map_or(255, code_of);
            highest = highest.max(code);
            if code != 0 && !killed {
                let node = self.node_of(rank);
                eprintln!("srun: error: {node}: task {rank}: Exited with exit code {code}");
                if self.options.kill_on_bad_exit {
                    killed = true;
                    kill(pids);
                }
            }
        }
        highest
    }

    fn node_of(&self, rank: u32) -> String {
        let place = self.places().into_iter().find(|place| place.rank == rank);
        let name = place.and_then(|place| {
            Some(self.assignment.run().ok()?.nodes[self.nodes[place.node]].clone())
        });
        name.unwrap_or_default()
    }
}

fn code_of(status: ExitStatus) -> u8 {
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    u8::try_from(code & 255).unwrap_or(255)
}

fn kill(pids: &Arc<Mutex<Vec<i32>>>) {
    for &pid in pids.lock().expect("no holder of this lock panics").iter() {
        processes::signal_group(pid, 9);
    }
}

fn forward(set: SigSet, pids: Arc<Mutex<Vec<i32>>>) {
    std::thread::spawn(move || {
        while let Ok(signal) = set.wait() {
            for &pid in pids.lock().expect("no holder of this lock panics").iter() {
                processes::signal_group(pid, signal as i32);
            }
        }
    });
}

/// Copies lines with the task's number before each, whole lines at a time.
fn pump(
    from: impl Read + Send + 'static,
    mut to: impl io::Write + Send + 'static,
    label: String,
) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut from = BufReader::new(from);
        let mut line = label.clone().into_bytes();
        while let Ok(1..) = from.read_until(b'\n', &mut line) {
            if line.last() != Some(&b'\n') {
                line.push(b'\n');
            }
            if to.write_all(&line).and_then(|()| to.flush()).is_err() {
                return;
            }
            line.truncate(label.len());
        }
    })
}

enum Input {
    First,
    None,
    Files(Vec<PathBuf>),
}

impl Input {
    fn of(&self, rank: u32) -> Result<Stdio, String> {
        match self {
            Input::First if rank == 0 => Ok(Stdio::inherit()),
            Input::First | Input::None => Ok(Stdio::null()),
            Input::Files(paths) => {
                let path = paths.get(rank as usize).or(paths.last());
                let Some(path) = path else { return Ok(Stdio::null()) };
                let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()));
                file.map(Stdio::from)
            }
        }
    }
}

/// Output files of a step; tasks that share a name share the file, begun anew once.
#[derive(Default)]
struct OutputFiles(BTreeMap<PathBuf, File>);

impl OutputFiles {
    fn open(&mut self, path: &Path, append: bool) -> io::Result<File> {
        if let Some(file) = self.0.get(path) {
            return file.try_clone();
        }
        let mut file = OpenOptions::new().append(true).create(true).open(path)?;
        if !append {
            file.set_len(0)?;
        }
        file.flush()?;
        self.0.insert(path.to_owned(), file.try_clone()?);
        Ok(file)
    }
}
