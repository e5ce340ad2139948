//! A network over real Slurm clusters: the control plane in the hub's namespace behind TLS, an
//! agent on each site's login node as an ordinary account, and the account's commands.

use crate::answer::Answer;
use lab::{Lab, Spec, USER};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longest a test waits for anything; far more than is needed on a free machine.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// The sites, and what each site's owner wrote into the site file.
pub const SITES: [(&str, &str); 3] = [
    // As the guide has it.
    ("shanghai", ""),
    (
        "guiyang",
        r#"
site = "guiyang"
cluster = "guiyang-slurm"
zone = "Asia/Shanghai"
shared_paths = ["/"]
[[flavor]]
name = "ascend-910b-64g"
gres = "npu:ascend910b"
price = { cpu_hour = "0.04", gpu_hour = "4", gib_hour = "0.004" }
"#,
    ),
    (
        "ulanqab",
        r#"
site = "ulanqab"
cluster = "ulanqab-slurm"
zone = "Asia/Shanghai"
shared_paths = ["/"]
[[flavor]]
name = "nvidia-a800-80g"
gres = "gpu:a800"
price = { cpu_hour = "0.03", gpu_hour = "5", gib_hour = "0.003" }
"#,
    ),
];

/// A network that runs.
pub struct Scene {
    /// The clusters and the links between them.
    pub lab: Lab,
    dir: PathBuf,
    settings: &'static [&'static str],
    sites: Vec<Place>,
    children: BTreeMap<String, Child>,
    // Given back last.
    _turn: Turn,
}

/// A site of a scene.
pub struct Place {
    /// Its name in the lab.
    pub name: String,
    /// What its owner wrote into the site file; empty where it joins as the guide says.
    pub file: String,
}

impl Scene {
    /// Brings everything up; says why it is skipped where it cannot be.
    pub fn start() -> Option<Scene> {
        Scene::start_with(&["--agents-contact-period", "60"])
    }

    /// The same with these settings of the control plane.
    pub fn start_with(settings: &'static [&'static str]) -> Option<Scene> {
        let place = |(name, file): (&str, &str)| Place { name: name.into(), file: file.into() };
        let sites = SITES.map(place).into();
        Scene::start_of(Turn::beside_others(), "st", Spec::three_sites(), sites, settings)
    }

    /// The same of any sites; `prefix` tells labs of one checkout apart.
    pub fn start_of(
        turn: Turn,
        prefix: &str,
        spec: Spec,
        sites: Vec<Place>,
        settings: &'static [&'static str],
    ) -> Option<Scene> {
        let lab = match Lab::up(&format!("{prefix}{}", of_this_checkout()), spec) {
            Ok(lab) => lab,
            Err(error) => {
                println!("skipped: needs root and Slurm packages: {error:#}");
                return None;
            }
        };
        let dir = lab.dir().join("net");
        let mut scene = Scene { lab, dir, settings, sites, children: BTreeMap::new(), _turn: turn };
        for name in ["", "work", "marks", "out", "bin"] {
            let path = scene.dir.join(name);
            fs::create_dir_all(&path).expect("a directory");
            owned(&path);
        }
        for Place { name: site, .. } in &scene.sites {
            // On the site's own disk, which tests fill.
            let state = scene.lab.disk(site).join("state");
            fs::create_dir_all(&state).expect("a directory");
            owned(&state);
            let link = scene.dir.join(format!("state-{site}"));
            std::os::unix::fs::symlink(state, link).expect("the name is free");
        }
        // The checkout need not be open to the ordinary account, nor to the nodes.
        fs::copy(env!("CARGO_BIN_EXE_suanpan"), scene.binary()).expect("the binary is copied");
        scene.start_server();
        scene.join_all();
        let reachable = |scene: &Scene| {
            let sites = scene.run(&["sites", "--json"]).out;
            sites.matches("\"contact\": \"reachable\"").count() == scene.sites.len()
        };
        assert!(wait_for(|| reachable(&scene)), "sites are missing: {}", scene.logs());
        Some(scene)
    }

    fn join_all(&mut self) {
        let sites: Vec<_> =
            self.sites.iter().map(|site| (site.name.clone(), site.file.clone())).collect();
        for (site, text) in sites {
            if text.is_empty() {
                self.type_guide();
                continue;
            }
            fs::write(self.dir.join(format!("{site}.toml")), text).expect("the site file");
            let token = self.dir.join(format!("{site}.token")).display().to_string();
            self.run(&["sites", "add", &format!("{site}-slurm"), "--write-token", &token]).ok();
            self.start_agent(&site);
        }
    }

    /// The binary that every place sees.
    pub fn binary(&self) -> PathBuf {
        self.dir.join("bin/suanpan")
    }

    /// A command of the user at a place.
    pub fn command(&self, place: &str, program: &str) -> Command {
        let mut command = self.lab.user_command(place, program);
        command.current_dir(self.work()).stdin(Stdio::null());
        self.as_user(&mut command);
        command
    }

    /// A place that every site sees.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where commands are typed.
    pub fn work(&self) -> PathBuf {
        self.dir.join("work")
    }

    /// Starts the control plane, also after it was killed.
    pub fn start_server(&mut self) {
        let path = |name: &str| self.dir.join(name).display().to_string();
        let mut command = self.lab.user_command("hub", &path("bin/suanpan"));
        command.args(["server", "--listen", "10.77.0.1:7726", "--data-dir", &path("server")]);
        command.args(["--tls-names", "hub"]);
        command.args(self.settings);
        self.spawn("server", command);
        let token = self.dir.join("server/user.token");
        let ready = || token.exists() && self.run(&["sites"]).code == 0;
        assert!(wait_for(ready), "the server did not start: {}", self.logs());
    }

    /// Starts the agent of a site on its login node.
    pub fn start_agent(&mut self, site: &str) {
        self.start_agent_with(site, "");
    }

    /// The same, to crash once at each of these failpoints: it, or a supervisor of its jobs.
    pub fn start_agent_with(&mut self, site: &str, crashes: &str) {
        let path = |name: &str| self.dir.join(name).display().to_string();
        let mut command = self.lab.user_command(site, &path("bin/suanpan"));
        command.args(["agent", "--state-dir", &path(&format!("state-{site}"))]);
        // What joined as the guide says knows the rest.
        if self.dir.join(format!("{site}.token")).exists() {
            command.args(["--driver", "slurm", "--server", "https://hub:7726"]);
            command.args(["--ca-file", &path("server/ca.pem")]);
            command.args(["--token-file", &path(&format!("{site}.token"))]);
            command.args(["--site-file", &path(&format!("{site}.toml"))]);
        }
        command.args(["--log-level", "info,suanpan_agent::slurm=debug,suanpan_agent::probe=debug"]);
        if !crashes.is_empty() {
            command.env("SUANPAN_CRASH_ONCE", crashes);
        }
        self.spawn(site, command);
    }

    /// Shanghai joins as the guide for owners of a Slurm cluster says, word for word.
    fn type_guide(&mut self) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide-slurm-site.md");
        let guide = fs::read_to_string(path).expect("the guide");
        let block = |kind: &str| {
            let (_, rest) = guide.split_once(&format!("```{kind}\n")).expect("a block");
            rest.split_once("```").expect("its end").0.to_owned()
        };
        fs::write(self.dir.join("shanghai.toml"), block("toml")).expect("the site file");
        let (mut inside, mut token) = (false, String::new());
        for line in guide.lines() {
            inside = (inside || line == "```console") && line != "```";
            let Some(command) = line.strip_prefix("$ suanpan ").filter(|_| inside) else {
                continue;
            };
            let is_agent = command.starts_with("agent");
            let place = if is_agent { "shanghai" } else { "hub" };
            let mut typed = self.lab.user_command(place, &self.binary().display().to_string());
            let words = command.split(' ');
            typed.args(words.map(|word| if word.starts_with("spn_j_") { &*token } else { word }));
            typed.current_dir(&self.dir).stdin(Stdio::null());
            if is_agent {
                self.spawn_in("shanghai", typed);
                continue;
            }
            if command.starts_with("sites approve") {
                let joined = || self.run(&["sites"]).out.contains("waiting for approval");
                assert!(wait_for(joined), "it did not join: {}", self.logs());
            }
            self.as_user(&mut typed);
            let output = typed.output().expect("the binary starts");
            assert!(output.status.success(), "{command}: {output:?}");
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            let printed = said.split_whitespace().find(|word| word.starts_with("spn_j_"));
            token = printed.map_or(token, str::to_owned);
        }
    }

    fn as_user(&self, command: &mut Command) {
        command.env("SUANPAN_SERVER", "https://hub:7726");
        command.env("SUANPAN_CA_FILE", self.dir.join("server/ca.pem"));
        command.env("SUANPAN_TOKEN_FILE", self.dir.join("server/user.token"));
    }

    /// Kills an agent as a crash would; or the control plane, whose name is `server`.
    pub fn kill(&mut self, name: &str) {
        let mut child = self.children.remove(name).expect("it was started");
        child.kill().expect("it is running");
        child.wait().expect("it ended");
    }

    /// The power of a site fails: every daemon, job and the agent are gone at once.
    pub fn power_off(&mut self, site: &str) {
        self.lab.kill9(site, "all").expect("it runs");
        let mut agent = self.children.remove(site).expect("it was started");
        agent.wait().expect("it was inside");
    }

    /// Starts all of a site again.
    pub fn power_on(&mut self, site: &str) {
        self.lab.start_everything(site).expect("it starts");
        self.start_agent(site);
    }

    /// Every record of the journal, oldest first. The control plane must not run.
    pub fn journal(&self) -> Vec<serde_json::Value> {
        let data = self.dir.join("server").display().to_string();
        let text = self.run(&["journal", "dump", "--data-dir", &data]).ok();
        let record = |line: &str| serde_json::from_str(line).expect("a line is a document");
        text.lines().map(record).collect()
    }

    /// Whether an agent ended by itself.
    pub fn has_ended(&mut self, site: &str) -> bool {
        let child = self.children.get_mut(site).expect("it was started");
        child.try_wait().expect("it is a child").is_some()
    }

    fn spawn(&mut self, name: &str, mut command: Command) {
        command.current_dir(self.work());
        self.spawn_in(name, command);
    }

    fn spawn_in(&mut self, name: &str, mut command: Command) {
        let log = self.dir.join(format!("{name}.log"));
        let log = File::options().create(true).append(true).open(log).expect("a log");
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a second handle")).stderr(log);
        let child = command.spawn().expect("it starts");
        self.children.insert(name.to_owned(), child);
    }

    /// Types a command at the hub.
    pub fn run(&self, words: &[&str]) -> Answer {
        let mut command = self.command("hub", &self.binary().display().to_string());
        Answer::from(command.args(words).output().expect("the binary starts"))
    }

    /// Writes a script of the user; answers its path.
    pub fn script(&self, name: &str, text: &str) -> String {
        let path = self.work().join(name);
        fs::write(&path, text).expect("the script is written");
        owned(&path);
        path.display().to_string()
    }

    /// Submits and answers the id.
    #[track_caller]
    pub fn submit(&self, words: &[&str]) -> String {
        let words: Vec<&str> = ["submit", "-q"].iter().chain(words).copied().collect();
        self.run(&words).ok().trim().to_owned()
    }

    /// What `show --json` says of a job.
    pub fn show(&self, id: &str) -> serde_json::Value {
        self.run(&["show", "--json", id]).json()["data"].clone()
    }

    /// Jobs by id, each with its state.
    pub fn states(&self) -> BTreeMap<String, String> {
        let answer = self.run(&["ps", "--all", "--limit", "0", "--json"]);
        let document: serde_json::Value = serde_json::from_str(&answer.out).unwrap_or_default();
        let jobs = document["data"]["jobs"].as_array().cloned().unwrap_or_default();
        let one = |job: &serde_json::Value| {
            Some((job["id"].to_string(), job["state"].as_str()?.to_lowercase()))
        };
        jobs.iter().filter_map(one).collect()
    }

    /// The ends of all logs, for a test that failed: short, so that its message stays in sight
    /// (`SUANPAN_LAB_KEEP` keeps all of them).
    pub fn logs(&self) -> String {
        let mut text = String::new();
        let names = self.children.keys().map(String::as_str).filter(|name| *name != "server");
        for name in names.chain(["server"]) {
            let log = fs::read_to_string(self.dir.join(format!("{name}.log"))).unwrap_or_default();
            let lines: Vec<&str> = log.lines().filter(|line| !line.contains("DEBUG")).collect();
            let last = lines[lines.len().saturating_sub(6)..].join("\n");
            text.push_str(&format!("\n--- the end of {name}.log\n{last}"));
        }
        text
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.logs());
        }
        if let Some(kept) = std::env::var_os("SUANPAN_LAB_KEEP") {
            let _ = Command::new("cp").arg("-rL").arg(&self.dir).arg(kept).status();
        }
        for child in self.children.values_mut() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Tells the labs of checkouts apart, because two may be tested at a time.
pub fn of_this_checkout() -> String {
    let own = std::env::var("SUANPAN_LAB").unwrap_or_default();
    let path = env!("CARGO_MANIFEST_DIR").bytes();
    let hash = path.fold(5381u32, |hash, byte| hash.wrapping_mul(33) ^ u32::from(byte));
    format!("{own}{hash:x}")
}

/// Labs of a checkout may be there at the same time, but what is timed in one is not to share the
/// machine with another. Given back when it is dropped, or its process ends.
pub struct Turn(#[expect(dead_code, reason = "it is held")] File);

impl Turn {
    /// Waits until no other lab is there. Tests that do are in `.config/nextest.toml` too, so that
    /// none waits in the place of one that could run.
    pub fn alone() -> Turn {
        let file = Turn::file();
        file.lock().expect("files can be locked");
        Turn(file)
    }

    /// Waits until no lab is there that must be alone.
    pub fn beside_others() -> Turn {
        let file = Turn::file();
        file.lock_shared().expect("files can be locked");
        Turn(file)
    }

    fn file() -> File {
        let path = format!("suanpan-lab-{}.turn", of_this_checkout());
        File::create(std::env::temp_dir().join(path)).expect("a file")
    }
}

/// Gives a file to the ordinary account.
pub fn owned(path: &Path) {
    let user = nix::unistd::User::from_name(USER).ok().flatten().expect("the lab made it");
    nix::unistd::chown(path, Some(user.uid), Some(user.gid)).expect("root may do that");
}

/// Whether the condition holds before the patience ends.
pub fn wait_for(mut condition: impl FnMut() -> bool) -> bool {
    let until = Instant::now() + PATIENCE;
    while !condition() {
        if Instant::now() > until {
            return false;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    true
}
