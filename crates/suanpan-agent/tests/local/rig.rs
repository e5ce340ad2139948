//! One agent, its site and its fake control plane in a temporary directory.

use crate::fake::{Fake, TOKEN};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use suanpan_agent::{AgentConfig, Shutdown};
use suanpan_model::id::{AllocationId, BlobHash, JobId};
use suanpan_model::job::{Launch, OpenMode, Payload, SiteRequest, Source, Workdir};
use suanpan_model::memory::Mebibytes;
use suanpan_model::time::Timestamp;
use suanpan_model::tres::Tres;
use suanpan_model::walltime::Walltime;
use suanpan_site::order::RunOrder;

pub struct Rig {
    pub dir: tempfile::TempDir,
    pub fake: Fake,
    pub config: AgentConfig,
    agent: Option<Shutdown>,
}

const SITE: &str = r#"
site = "here"
cluster = "CLUSTER"
driver = "local"
zone = "UTC"

[[flavor]]
name = "cpu"

[[flavor]]
name = "nvidia-h20-96g"

[[partition]]
name = "main"
default = true
time_max = "1-00:00:00"

[[partition.nodes]]
names = "n[1-4]"
flavor = "cpu"
cpus = 8
memory = "4G"

[[partition.nodes]]
names = "g1"
flavor = "nvidia-h20-96g"
cpus = 8
memory = "4G"
gpus = 4
"#;

impl Rig {
    /// Everything but the agent itself.
    pub fn new() -> Rig {
        Rig::with_fake(Fake::start())
    }

    pub fn with_fake(fake: Fake) -> Rig {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::write(&path, text).expect("the file is written");
            path
        };
        let token = write("token", TOKEN);
        fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).expect("the mode is set");
        let cluster = cluster_of(dir.path());
        let site = write("site.toml", &SITE.replace("CLUSTER", &cluster));
        fs::create_dir(dir.path().join("work")).expect("the directory is made");
        let state = dir.path().join("state");
        let mut config = AgentConfig::new(&fake.url, &token, &site, &state);
        config.exe = Some(example());
        config.grace_s = 1;
        config.poll_wait_s = 1;
        Rig { dir, fake, config, agent: None }
    }

    /// With the agent running in this process.
    pub fn started() -> Rig {
        let mut rig = Rig::new();
        rig.start();
        rig
    }

    pub fn start(&mut self) {
        let shutdown = Shutdown::default();
        let (config, ours) = (self.config.clone(), shutdown.clone());
        std::thread::spawn(move || suanpan_agent::run(&config, &ours).expect("the agent runs"));
        self.agent = Some(shutdown);
    }

    /// The agent as a process of its own, with these variables.
    pub fn spawn(&self, env: &[(&str, &str)]) -> Child {
        let mut command = Command::new(example());
        command.arg(&self.config.server).arg(&self.config.token_file).arg(&self.config.site_file);
        command.arg(&self.config.state_dir).arg(self.config.grace_s.to_string());
        command.envs(env.iter().copied()).spawn().expect("the agent starts")
    }

    pub fn cluster(&self) -> String {
        cluster_of(self.dir.path())
    }

    pub fn work(&self) -> PathBuf {
        self.dir.path().join("work")
    }

    pub fn read(&self, name: &str) -> String {
        let path = self.work().join(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    pub fn launch(&self, script: &str) -> Launch {
        Launch {
            payload: Payload::Script(format!("#!/bin/bash\n{script}\n")),
            args: Vec::new(),
            env: BTreeMap::new(),
            setup: None,
            submit_dir: self.work().display().to_string(),
            submit_host: "submit".into(),
            workdir: Workdir::Path(self.work().display().to_string()),
            copies: Vec::new(),
            outputs: Vec::new(),
            datasets: Vec::new(),
            publish: Vec::new(),
            stdout: "slurm-%j.out".into(),
            stderr: None,
            stdin: None,
            open_mode: OpenMode::Truncate,
            tasks: 1,
            tasks_per_node: None,
            cpus_per_task: 1,
            signal: None,
            per_flavor: BTreeMap::new(),
            dependency: None,
            comment: None,
            qos: None,
            source: Source::Sbatch,
            site: SiteRequest::default(),
        }
    }

    pub fn run_order(&self, id: u64, launch: &Launch) -> RunOrder {
        let bytes = serde_json::to_vec(launch).expect("a launch document");
        run_order(id, self.fake.blob(bytes))
    }

    pub fn submit(&self, id: u64, launch: &Launch) -> AllocationId {
        self.fake.run(id, self.run_order(id, launch))
    }

    pub fn allocation(&self, id: AllocationId) -> PathBuf {
        self.config.state_dir.join("allocations").join(id.to_string())
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if let Some(agent) = &self.agent {
            agent.trigger();
        }
        std::thread::sleep(std::time::Duration::from_millis(200));
        // Nothing of a failed test may stay behind on the machine.
        let name = self.dir.path().display().to_string();
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse::<i32>().ok()) else {
                continue;
            };
            let has = |file: &str| {
                let bytes = fs::read(entry.path().join(file)).unwrap_or_default();
                String::from_utf8_lossy(&bytes).contains(&name)
            };
            if pid != i32::try_from(std::process::id()).unwrap_or(0)
                && (has("environ") || has("cmdline"))
            {
                let _ = nix::sys::signal::kill(
                    nix::unistd::Pid::from_raw(pid),
                    nix::sys::signal::Signal::SIGKILL,
                );
            }
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
        for hierarchy in suanpan_agent::local::cgroup::detect(&self.cluster()).0.hierarchies {
            remove_groups(&hierarchy.dir);
        }
    }
}

fn remove_groups(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            remove_groups(&entry.path());
        }
    }
    let _ = fs::remove_dir(dir);
}

pub fn run_order(id: u64, launch: BlobHash) -> RunOrder {
    RunOrder {
        job: JobId(id),
        array: None,
        name: "job".into(),
        user: "user".into(),
        project: "project".into(),
        launch,
        partition: "main".into(),
        nodes: vec!["n1".into()],
        flavor: "cpu".into(),
        per_node: Tres { cpus: 1, memory: Mebibytes::new(512), gpus: 0 },
        time_limit: Walltime::from_seconds(60).expect("a minute is a time limit"),
        restarts: 0,
        placed_at: Timestamp(0),
        stop_at: None,
    }
}

/// Control groups are named after the cluster, and tests run side by side.
fn cluster_of(dir: &Path) -> String {
    let name = dir.file_name().expect("it has a name").to_string_lossy();
    format!("t{}", name.trim_start_matches(".tmp"))
}

/// The example that stands for the one binary; cargo builds examples along with tests.
fn example() -> PathBuf {
    let test = std::env::current_exe().expect("this test has a path");
    let target = test.parent().and_then(Path::parent).expect("target/<profile>/deps/<test>");
    target.join("examples/agent")
}
