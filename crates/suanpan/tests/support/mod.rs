//! A network for tests: the real server and real agents as processes, in a temporary directory on
//! loopback, ended with everything they started when the test ends, however it ends.

// Each test binary uses a part of it.
#![allow(dead_code)]

mod answer;

pub use answer::Answer;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Longest a test waits for anything; far more than is needed on a free machine.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Marks every process that a job of this network starts, so that it can be found and ended.
pub const MARK: &str = "SUANPAN_TEST_DIR";

/// A site with room for tests: two nodes of four small CPUs.
const EAST: &str = r#"
site = "east"
cluster = "east-pool"
driver = "local"
home = true
zone = "Asia/Shanghai"
location = { latitude = 31.23, longitude = 121.47 }
shared_paths = ["/"]

[[flavor]]
name = "fast"
speed = 1.0
price = { cpu_hour = "0.12", gpu_hour = "0", gib_hour = "0.010" }

[[partition]]
name = "normal"
default = true
time_max = "04:00:00"
time_default = "00:10:00"
nodes_max_per_job = 2
[[partition.nodes]]
names = "ea[01-02]"
flavor = "fast"
cpus = 4
memory = "4G"
gpus = 0
features = ["x86"]

[[link]]
to = "west"
delay_ms = "10"
throughput_mbps = "400"
"#;

/// A cheaper and slower one.
const WEST: &str = r#"
site = "west"
cluster = "west-pool"
driver = "local"
zone = "Asia/Shanghai"
location = { latitude = 26.65, longitude = 106.63 }
shared_paths = ["/"]

[[flavor]]
name = "cheap"
speed = 0.5
price = { cpu_hour = "0.05", gpu_hour = "0", gib_hour = "0.005" }

[[partition]]
name = "normal"
default = true
time_max = "1-00:00:00"
time_default = "00:10:00"
nodes_max_per_job = 1
[[partition.nodes]]
names = "we01"
flavor = "cheap"
cpus = 4
memory = "4G"
gpus = 0
features = ["arm64"]

[[link]]
to = "east"
delay_ms = "10"
throughput_mbps = "400"
"#;

/// A network: its processes and files.
pub struct Network {
    dir: TempDir,
    children: Vec<Child>,
    server: String,
}

impl Network {
    /// A server and two sites in contact.
    pub fn start() -> Network {
        let network = Network::start_with(&[("east-pool", EAST), ("west-pool", WEST)]);
        network.await_sites(2);
        network
    }

    /// A server and one site.
    pub fn start_small() -> Network {
        let network = Network::start_with(&[("east-pool", EAST)]);
        network.await_sites(1);
        network
    }

    /// A server and one site, with this environment and these settings of the server.
    pub fn start_set(environment: &[(&str, &str)], settings: &[&str]) -> Network {
        let network = Network::start_as(&[("east-pool", EAST)], environment, settings);
        network.await_sites(1);
        network
    }

    fn start_with(sites: &[(&str, &str)]) -> Network {
        Network::start_as(sites, &[], &[])
    }

    fn start_as(
        sites: &[(&str, &str)],
        environment: &[(&str, &str)],
        settings: &[&str],
    ) -> Network {
        let dir = tempfile::Builder::new().prefix("suanpan-test-").tempdir();
        let dir = dir.expect("there is room for a temporary directory");
        fs::create_dir(dir.path().join("work")).expect("the directory is new");
        let mut network = Network { dir, children: Vec::new(), server: String::new() };
        let data = network.path().join("server").display().to_string();
        let args = ["server", "--listen", "127.0.0.1:0", "--data-dir", &data];
        let args = [&args, settings].concat();
        network.spawn_in("server", &args, environment);
        network.server = network.await_address();
        for (cluster, text) in sites {
            network.add_site(cluster, text);
        }
        network
    }

    fn add_site(&mut self, cluster: &str, text: &str) {
        let file = |ending: &str| self.path().join(format!("{cluster}.{ending}"));
        let (site, token, state) = (file("toml"), file("token"), file("state"));
        fs::write(&site, text).expect("the file is written");
        let word = |path: &Path| path.display().to_string();
        self.run(&["sites", "add", cluster, "--write-token", &word(&token)]).ok();
        let (site, token, state) = (word(&site), word(&token), word(&state));
        let server = self.server.clone();
        let args = [
            "agent",
            "--server",
            &server,
            "--token-file",
            &token,
            "--site-file",
            &site,
            "--state-dir",
            &state,
        ];
        self.spawn(cluster, &args);
    }

    /// Where everything is.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Directory in which commands are typed.
    pub fn work(&self) -> PathBuf {
        self.path().join("work")
    }

    /// Address of the server.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Writes a file into the work directory.
    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.work().join(name), text).expect("the file is written");
    }

    /// Reads a file of the work directory.
    pub fn read(&self, name: &str) -> String {
        let path = self.work().join(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// The binary with the environment of this network's user.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = bare_command(args);
        command.current_dir(self.work()).env("SUANPAN_SERVER", &self.server);
        command.env("SUANPAN_TOKEN_FILE", self.path().join("server/user.token"));
        command.env(MARK, self.path()).env("HOME", self.path());
        command
    }

    /// Types a command.
    pub fn run(&self, args: &[&str]) -> Answer {
        Answer::from(self.command(args).output().expect("the binary starts"))
    }

    /// Submits and answers the id.
    #[track_caller]
    pub fn submit(&self, args: &[&str]) -> String {
        let words: Vec<&str> = ["submit", "-q"].iter().chain(args).copied().collect();
        self.run(&words).ok().trim().to_owned()
    }

    /// The job's state, as `--json` names it.
    pub fn state(&self, id: &str) -> String {
        let json = self.run(&["show", "--json", id]).json();
        let task = &json["data"]["task"]["state"];
        let state = if task.is_null() { &json["data"]["state"] } else { task };
        state.as_str().expect("a job has a state").to_owned()
    }

    /// Waits until the job is in this state.
    #[track_caller]
    pub fn await_state(&self, id: &str, wanted: &str) {
        let mut last = String::new();
        let reached = wait_for(|| {
            last = self.state(id);
            last == wanted
        });
        assert!(reached, "job {id} is {last}, not {wanted}: {:?}", self.run(&["why", id]));
    }

    /// Kills the server, as a crash would, and starts it again after a while at the same address.
    pub fn restart_server(&mut self, after: Duration) {
        let mut server = self.children.remove(0);
        server.kill().expect("it is running");
        server.wait().expect("it ended");
        std::thread::sleep(after);
        let data = self.path().join("server").display().to_string();
        let address = self.server.trim_start_matches("http://").to_owned();
        self.spawn("server", &["server", "--listen", &address, "--data-dir", &data]);
        let server = self.children.pop().expect("it was just started");
        self.children.insert(0, server);
    }

    fn spawn(&mut self, name: &str, args: &[&str]) {
        self.spawn_in(name, args, &[]);
    }

    fn spawn_in(&mut self, name: &str, args: &[&str], environment: &[(&str, &str)]) {
        let log = fs::File::create(self.path().join(format!("{name}.log"))).expect("a log file");
        let mut command = bare_command(args);
        command.current_dir(self.path()).env("HOME", self.path()).process_group(0);
        command.envs(environment.iter().copied());
        command.stdout(log.try_clone().expect("a second handle")).stderr(log);
        self.children.push(command.spawn().expect("the binary starts"));
    }

    fn await_address(&self) -> String {
        let (address, token) = (self.path().join("server/server.addr"), "server/user.token");
        let mut text = String::new();
        let there = wait_for(|| {
            text = fs::read_to_string(&address).unwrap_or_default().trim().to_owned();
            !text.is_empty() && self.path().join(token).exists()
        });
        assert!(there, "the server did not start:\n{}", self.log("server"));
        if text.starts_with("http") { text } else { format!("http://{text}") }
    }

    fn await_sites(&self, count: usize) {
        let there = wait_for(|| {
            let sites = self.run(&["sites", "--json"]);
            sites.out.matches("\"contact\": \"reachable\"").count() == count
        });
        assert!(there, "sites are missing: {:?}", self.run(&["sites"]));
    }

    fn log(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(format!("{name}.log"))).unwrap_or_default()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for name in ["server", "east-pool", "west-pool"] {
                let log = self.log(name);
                let lines: Vec<&str> = log.lines().collect();
                let last = &lines[lines.len().saturating_sub(20)..];
                eprintln!("--- the end of {name}.log\n{}", last.join("\n"));
            }
        }
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
        end_marked(self.path());
    }
}

/// Ends every process that a command with the mark of this directory started: jobs which their
/// agent could no longer end, and supervisors.
pub fn end_marked(dir: &Path) {
    let mark = format!("{MARK}={}", dir.display());
    let inside = dir.display().to_string();
    let Ok(processes) = fs::read_dir("/proc") else { return };
    for process in processes.flatten() {
        let name = process.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        let has = |file: &str, wanted: &dyn Fn(&[u8]) -> bool| {
            let bytes = fs::read(process.path().join(file)).unwrap_or_default();
            bytes.split(|byte| *byte == 0).any(wanted)
        };
        let marked = has("environ", &|entry| entry == mark.as_bytes());
        let supervisor = || has("cmdline", &|word| word.starts_with(inside.as_bytes()));
        if marked || supervisor() {
            let pid = nix::unistd::Pid::from_raw(pid);
            let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
        }
    }
}

/// The binary with an environment that holds nothing of the tester's.
pub fn bare_command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_suanpan"));
    command.args(args).env_clear().stdin(Stdio::null());
    let path = std::env::var_os("PATH").unwrap_or_default();
    command.env("PATH", path).env("TZ", "Asia/Shanghai").env("HOME", "/nonexistent");
    command
}

/// Whether the condition holds before the patience ends.
pub fn wait_for(mut condition: impl FnMut() -> bool) -> bool {
    let until = Instant::now() + PATIENCE;
    while !condition() {
        if Instant::now() > until {
            return false;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    true
}
