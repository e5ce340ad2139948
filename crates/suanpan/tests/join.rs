//! A site joins in three commands, over TLS by the network's own authority: real processes, the
//! right way and every wrong one.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use support::{Answer, MARK, bare_command, end_marked, wait_for};
use tempfile::TempDir;

const SITE: &str = r#"
site = "east"
cluster = "east-pool"
driver = "local"
zone = "Asia/Shanghai"
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
nodes_max_per_job = 1
[[partition.nodes]]
names = "ea01"
flavor = "fast"
cpus = 4
memory = "4G"
gpus = 0
features = []
"#;

/// A control plane behind TLS, and the agents that joined it.
struct Scene {
    dir: TempDir,
    children: Vec<Child>,
    port: String,
}

impl Scene {
    fn start() -> Scene {
        let dir = tempfile::Builder::new().prefix("suanpan-test-").tempdir();
        let mut scene = Scene {
            dir: dir.expect("a temporary directory"),
            children: Vec::new(),
            port: "0".into(),
        };
        fs::write(scene.path("site.toml"), SITE).expect("the site file");
        fs::write(scene.path("other.toml"), SITE.replace("east-pool", "west-pool")).expect("one");
        scene.start_server();
        scene
    }

    /// On every address of this machine, so that one of them is not in the certificate.
    fn start_server(&mut self) {
        let listen = format!("0.0.0.0:{}", self.port);
        let data = self.path("data").display().to_string();
        let words =
            ["server", "--listen", &listen, "--data-dir", &data, "--tls-names", "127.0.0.1"];
        let server = self.spawn(&words, &[]);
        self.children.insert(0, server);
        let mut address = String::new();
        let there = wait_for(|| {
            address = fs::read_to_string(self.path("data/server.addr")).unwrap_or_default();
            !address.is_empty() && self.path("data/user.token").exists()
        });
        assert!(there, "the server did not start: {}", self.read("server.log"));
        self.port = address.trim().rsplit(':').next().expect("a port").to_owned();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    fn spawn(&self, words: &[&str], variables: &[(&str, &str)]) -> Child {
        let name = format!("{}.log", words[0]);
        let log = fs::OpenOptions::new().create(true).append(true).open(self.path(&name));
        let log = log.expect("a log file");
        let mut command = bare_command(words);
        command.current_dir(self.dir.path()).env("HOME", self.dir.path());
        command.env(MARK, self.dir.path()).envs(variables.iter().copied());
        command.stdout(Stdio::null()).stderr(log).spawn().expect("the binary starts")
    }

    /// What the operator types.
    fn operator(&self, words: &[&str]) -> Answer {
        let mut command = bare_command(words);
        command.current_dir(self.dir.path()).env(MARK, self.dir.path());
        command.env("SUANPAN_SERVER", self.url());
        command.env("SUANPAN_TOKEN_FILE", self.path("data/user.token"));
        command.env("SUANPAN_CA_FILE", self.path("data/ca.pem"));
        Answer::from(command.output().expect("the binary starts"))
    }

    fn invite(&self, words: &[&str]) -> String {
        let words: Vec<&str> = ["sites", "invite", "-q"].iter().chain(words).copied().collect();
        self.operator(&words).ok().trim().to_owned()
    }

    /// The owner joins without starting the agent; in the environment there is nothing of the
    /// operator's.
    fn join_command(&self, url: &str, token: &str, site: &str, state: &str) -> Command {
        let state = self.path(state).display().to_string();
        let words = ["agent", "join", url, token, "--site-file", site, "--state-dir", &state];
        let mut command = bare_command(&words);
        command.arg("--no-start").current_dir(self.dir.path());
        command
    }

    fn join(&self, url: &str, token: &str, site: &str, state: &str) -> Answer {
        let mut command = self.join_command(url, token, site, state);
        Answer::from(command.output().expect("the binary starts"))
    }

    /// Joining is refused with this code and these words, and leaves nothing behind.
    #[track_caller]
    fn refused(&self, url: &str, token: &str, site: &str, code: i32, words: &str) {
        let answer = self.join(url, token, site, "refused");
        assert_eq!(answer.code, code, "{answer:?}");
        assert!(answer.err.contains(words), "{answer:?}");
        assert!(!answer.err.contains(token), "no token is repeated: {answer:?}");
        let left = fs::read_dir(self.path("refused")).into_iter().flatten().flatten();
        let left: Vec<_> =
            left.map(|file| file.file_name()).filter(|name| name != "lock").collect();
        assert!(left.is_empty(), "{left:?}");
    }

    fn start_agent(&mut self, state: &str) {
        let state = self.path(state).display().to_string();
        let agent = self.spawn(&["agent", "--state-dir", &state], &[]);
        self.children.push(agent);
    }

    fn submit(&self, words: &[&str]) -> String {
        let common = ["submit", "-q", "--mem=100M"];
        let words: Vec<&str> = common.iter().chain(words).copied().collect();
        self.operator(&words).ok().trim().to_owned()
    }

    fn state(&self, id: &str) -> serde_json::Value {
        self.operator(&["show", "--json", id]).json()["data"]["state"].clone()
    }

    fn site(&self) -> serde_json::Value {
        self.operator(&["sites", "--json"]).json()["data"]["sites"][0].clone()
    }

    #[track_caller]
    fn await_site(&self, key: &str, value: &str) {
        let reached = wait_for(|| self.site()[key] == value);
        assert!(reached, "{key} is not {value}: {}\n{}", self.site(), self.read("agent.log"));
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- agent.log\n{}", self.read("agent.log"));
        }
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
        end_marked(self.dir.path());
    }
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

#[test]
fn a_site_joins_in_three_commands_and_is_revoked() {
    let mut scene = Scene::start();
    let token = scene.invite(&["east-pool"]);
    assert_eq!(scene.site()["standing"], "invited");
    let url = scene.url();
    scene.join(&url, &token, "site.toml", "state").ok();
    // The same agent may join again by the same token, and by no other.
    let said = scene.join(&url, &token, "site.toml", "state").ok();
    let code = scene.site()["code"].as_str().expect("it joined").to_owned();
    assert!(said.contains(&code), "{said}");
    for file in fs::read_dir(scene.path("state")).expect("it was made").flatten() {
        if file.file_name() != "lock" {
            assert_eq!(mode(&file.path()), 0o600, "{:?}", file.path());
        }
    }
    scene.refused(&url, &token, "site.toml", 5, "used before, by another agent");
    scene.start_agent("state");
    assert!(wait_for(|| scene.read("agent.log").contains("waiting for approval")));
    assert_eq!(scene.site()["standing"], "joined");
    let early = scene.submit(&["--time=1", "--wrap=true"]);
    assert_eq!(scene.state(&early), "Pending", "nothing is placed there yet");

    scene.operator(&["sites", "approve", "east-pool"]).ok();
    scene.await_site("contact", "reachable");
    let ran = scene.operator(&["run", "--time=1", "--mem=100M", "--", "echo", "hello"]);
    assert_eq!(ran.ok().trim(), "hello");
    assert!(wait_for(|| scene.state(&early) == "Completed"), "what waited for it ran");
    let again = scene.operator(&["sites", "invite", "east-pool"]);
    assert_eq!(again.code, 3, "{again:?}");

    // A restart of everything changes nothing of it.
    for mut child in std::mem::take(&mut scene.children) {
        child.kill().expect("it runs");
        child.wait().expect("it ended");
    }
    scene.start_server();
    assert_eq!(scene.url(), url);
    scene.start_agent("state");
    let long = ["--time=60", "--wrap=exec sleep 8642"];
    let (lost, waits) = (scene.submit(&long), scene.submit(&[long[0], long[1], "--requeue"]));
    assert!(wait_for(|| scene.state(&lost) == "Running" && scene.state(&waits) == "Running"));
    let said = scene.operator(&["sites", "revoke", "east-pool"]).ok();
    assert!(said.contains("2 jobs lost"), "{said}");
    assert_eq!((scene.state(&lost), scene.state(&waits)), ("NodeFail".into(), "Pending".into()));
    scene.await_site("standing", "revoked");
    assert!(wait_for(|| scene.read("agent.log").contains("does not know this agent's token")));
    scene.refused(&url, &token, "site.toml", 5, "no invitation has this join token");

    // It may come back, as a new member with a new token; the old agent's state directory is good.
    scene.children.pop().expect("the agent").kill().expect("it runs");
    let token = scene.invite(&["east-pool"]);
    assert!(wait_for(|| scene.join(&url, &token, "site.toml", "state").code == 0));
    scene.operator(&["sites", "approve", "east-pool"]).ok();
    scene.start_agent("state");
    assert!(wait_for(|| scene.state(&waits) == "Running"), "{}", scene.read("agent.log"));
    scene.operator(&["cancel", &waits]).ok();
}

#[test]
fn joining_the_wrong_way_says_what_is_wrong() {
    let scene = Scene::start();
    let url = scene.url();
    let token = scene.invite(&["east-pool"]);
    scene.refused(&url, &token, "other.toml", 2, "is for cluster `east-pool`, not for `west-pool`");
    scene.refused(&url, &token, "nowhere.toml", 2, "nowhere.toml");
    let half = &token[..token.len() - 1];
    scene.refused(&url, half, "site.toml", 2, "this is not a join token");
    // Another secret, another authority, another name of the server, and nobody there.
    let wrong = token.replacen("spn_j_", "", 1);
    let digit = if wrong.starts_with('0') { "1" } else { "0" };
    let wrong = format!("spn_j_{digit}{}", &wrong[1..]);
    scene.refused(&url, &wrong, "site.toml", 5, "no invitation has this join token");
    let (secret, hash) = token.split_once('.').expect("the authority's hash");
    let digit = if hash.starts_with('0') { "1" } else { "0" };
    let wrong = format!("{secret}.{digit}{}", &hash[1..]);
    scene.refused(&url, &wrong, "site.toml", 5, "is not the server that made this join token");
    let elsewhere = url.replace("127.0.0.1", "127.0.0.2");
    scene.refused(&elsewhere, &token, "site.toml", 5, "not good for this address");
    let clear = url.replace("https", "http");
    scene.refused(&clear, &token, "site.toml", 2, "speaks https");
    scene.refused("https://127.0.0.1:1", &token, "site.toml", 69, "cannot reach the server");
    // Nobody's certificate is trusted because nobody was named.
    scene.refused(&url, secret, "site.toml", 5, "not good for this address");
    let early = scene.operator(&["sites", "approve", "east-pool"]);
    assert_eq!(early.code, 3, "{early:?}");
    for verb in ["approve", "revoke"] {
        assert_eq!(scene.operator(&["sites", verb, "nowhere"]).code, 4);
    }
    // A second invitation makes the first void, and each has its time.
    let second = scene.invite(&["--valid=00:00:01", "east-pool"]);
    scene.refused(&url, &token, "site.toml", 5, "no invitation has this join token");
    std::thread::sleep(std::time::Duration::from_millis(1100));
    scene.refused(&url, &second, "site.toml", 5, "has expired");
    // It is not too late for the right one, by standard input.
    let token = scene.invite(&["east-pool"]);
    let mut join = scene.join_command(&url, "-", "site.toml", "state");
    join.stdin(Stdio::piped()).stdout(Stdio::null());
    let mut join = join.spawn().expect("the binary starts");
    let mut input = join.stdin.take().expect("it is piped");
    std::io::Write::write_all(&mut input, format!("{token}\n").as_bytes()).expect("it reads");
    drop(input);
    assert!(join.wait().expect("it ends").success());
    // The directory is this agent's now.
    let other = scene.join(&url, &token, "other.toml", "state");
    assert_eq!((other.code, other.err.contains("is that of the agent of `east-pool`")), (2, true));
}

#[test]
fn a_crash_while_joining_is_mended_by_joining_again() {
    if !cfg!(feature = "failpoints") {
        println!("skipped: the failpoints are not compiled in");
        return;
    }
    let scene = Scene::start();
    let (url, token) = (scene.url(), scene.invite(&["east-pool"]));
    let crash = format!("join-after-exchange:{}", scene.path("crashed").display());
    let mut join = scene.join_command(&url, &token, "site.toml", "state");
    let crashed = join.env("SUANPAN_CRASH_ONCE", crash).output().expect("the binary starts");
    assert_eq!(crashed.status.code(), None, "it was killed");
    assert_eq!(scene.site()["standing"], "joined", "the server took it");
    assert!(!scene.path("state/membership.json").exists());
    scene.refused(&url, &token, "site.toml", 5, "used before, by another agent");
    scene.join(&url, &token, "site.toml", "state").ok();
    scene.operator(&["sites", "approve", "east-pool"]).ok();
    let mut scene = scene;
    scene.start_agent("state");
    scene.await_site("contact", "reachable");
}
