//! Starts a real server (and agents) from the release binary in a fresh directory, and speaks HTTP
//! to it over kept-alive connections as cheaply as possible: the load generator shares the cores.

use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A server process, its agents and their directories; all go when this is dropped.
pub struct Network {
    /// Data directory of the server.
    pub data: PathBuf,
    /// The binary under test.
    pub binary: PathBuf,
    /// Address the server listens on; the same after a restart.
    pub address: String,
    /// A user's token.
    pub token: String,
    server: Option<Child>,
    agents: Vec<Agent>,
    folder: tempfile::TempDir,
}

struct Agent {
    name: String,
    child: Option<Child>,
}

/// Environment variables of a process that is started.
pub type Env<'a> = &'a [(&'a str, &'a str)];

/// Builds the release binary and returns its path.
///
/// # Errors
/// If it does not build.
pub fn release_binary() -> Result<PathBuf> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let built = cargo.args(["build", "--release", "-q", "-p", "suanpan"]).status()?;
    anyhow::ensure!(built.success(), "the release binary does not build");
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target"), PathBuf::from);
    Ok(target.join("release/suanpan"))
}

impl Network {
    /// Prepares a fresh directory; nothing is started yet.
    ///
    /// # Errors
    /// If no directory can be made or no port is free.
    pub fn prepare(binary: &Path) -> Result<Network> {
        let folder = tempfile::Builder::new().prefix("suanpan-bench-").tempdir()?;
        Ok(Network {
            data: folder.path().join("data"),
            binary: binary.to_owned(),
            address: free_address()?,
            token: String::new(),
            server: None,
            agents: Vec::new(),
            folder,
        })
    }

    /// Starts a server in a fresh directory.
    ///
    /// # Errors
    /// If it does not become ready within 10 minutes.
    pub fn start(binary: &Path, flags: &[&str]) -> Result<Network> {
        let mut network = Network::prepare(binary)?;
        network.start_server(flags)?;
        Ok(network)
    }

    /// The directory that holds everything.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Leaves the directory where it is when this is dropped, for someone to look at.
    pub fn keep_folder(&mut self) {
        self.folder.disable_cleanup(true);
    }

    /// Starts the server on the same data directory; returns the time until it was ready.
    ///
    /// # Errors
    /// If it does not become ready within 10 minutes.
    pub fn start_server(&mut self, flags: &[&str]) -> Result<Duration> {
        let began = Instant::now();
        self.spawn_server(flags, &[])?;
        while !self.is_ready() {
            if self.has_server_ended()? || began.elapsed() > Duration::from_secs(600) {
                let log = std::fs::read_to_string(self.folder.path().join("server.log"))?;
                let last: Vec<&str> = log.lines().rev().take(20).collect();
                let last: Vec<&str> = last.into_iter().rev().collect();
                bail!("the server did not become ready:\n{}", last.join("\n"));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let took = began.elapsed();
        self.token = std::fs::read_to_string(self.data.join("user.token"))?.trim().to_owned();
        Ok(took)
    }

    /// Starts the server's process and does not wait for anything.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn spawn_server(&mut self, flags: &[&str], env: Env<'_>) -> Result<()> {
        self.kill_server()?;
        let mut command = Command::new(&self.binary);
        command.args(["server", "--listen", &self.address, "--data-dir"]).arg(&self.data);
        command.args(flags).envs(env.iter().copied());
        self.server = Some(self.spawn(command, "server.log").context("starting the server")?);
        Ok(())
    }

    /// Whether the server's process is gone.
    ///
    /// # Errors
    /// If it cannot be waited for.
    pub fn has_server_ended(&mut self) -> Result<bool> {
        has_ended(&mut self.server)
    }

    /// Adds a cluster and starts its agent from a site file's text.
    ///
    /// # Errors
    /// If the server does not add it or the agent does not start.
    pub fn add_agent(&mut self, name: &str, site_file: &str) -> Result<()> {
        std::fs::write(self.folder.path().join(format!("{name}.toml")), site_file)?;
        let added = Command::new(&self.binary)
            .args(["sites", "add", name, "--write-token"])
            .arg(self.folder.path().join(format!("{name}.token")))
            .env("SUANPAN_SERVER", format!("http://{}", self.address))
            .env("SUANPAN_TOKEN_FILE", self.data.join("user.token"))
            .stdout(Stdio::null())
            .status()?;
        anyhow::ensure!(added.success(), "the cluster {name} could not be added");
        self.agents.push(Agent { name: name.to_owned(), child: None });
        self.spawn_agent(self.agents.len() - 1, &[])
    }

    /// Starts an agent that was added before, by its position.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn spawn_agent(&mut self, position: usize, env: Env<'_>) -> Result<()> {
        self.kill_agent(position)?;
        let name = self.agents[position].name.clone();
        let file = |ending: &str| self.folder.path().join(format!("{name}.{ending}"));
        let mut command = Command::new(&self.binary);
        command.args(["agent", "--server", &format!("http://{}", self.address)]);
        command.arg("--site-file").arg(file("toml"));
        command.arg("--token-file").arg(file("token"));
        command.arg("--state-dir").arg(file("state")).envs(env.iter().copied());
        let child = self.spawn(command, &format!("{name}.log")).context("starting an agent")?;
        self.agents[position].child = Some(child);
        Ok(())
    }

    /// Kills an agent; what it runs goes on.
    ///
    /// # Errors
    /// If it cannot be waited for.
    pub fn kill_agent(&mut self, position: usize) -> Result<()> {
        if let Some(mut agent) = self.agents[position].child.take() {
            agent.kill()?;
            agent.wait()?;
        }
        Ok(())
    }

    /// Whether an agent's process is gone.
    ///
    /// # Errors
    /// If it cannot be waited for.
    pub fn has_agent_ended(&mut self, position: usize) -> Result<bool> {
        has_ended(&mut self.agents[position].child)
    }

    fn spawn(&self, mut command: Command, log: &str) -> Result<Child> {
        let path = self.folder.path().join(log);
        let log = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        Ok(command.spawn()?)
    }

    /// Kills the server as a power switch would kill the process.
    ///
    /// # Errors
    /// If it cannot be waited for.
    pub fn kill_server(&mut self) -> Result<()> {
        if let Some(mut server) = self.server.take() {
            server.kill()?;
            server.wait()?;
        }
        Ok(())
    }

    /// Asks the server to stop and waits for it.
    ///
    /// # Errors
    /// If it cannot be signalled or does not end with exit code 0.
    pub fn stop_server(&mut self) -> Result<()> {
        if let Some(mut server) = self.server.take() {
            let pid = server.id().to_string();
            Command::new("kill").args(["-TERM", &pid]).status()?;
            anyhow::ensure!(server.wait()?.success(), "the server did not stop cleanly");
        }
        Ok(())
    }

    /// Memory of the server now and at most, in MiB.
    ///
    /// # Errors
    /// If the process is gone.
    pub fn server_memory_mib(&self) -> Result<(f64, f64)> {
        memory_mib(self.server.as_ref().context("the server runs")?.id())
    }

    /// Largest memory of any agent so far, in MiB.
    #[must_use]
    pub fn agents_memory_mib(&self) -> f64 {
        let running = self.agents.iter().filter_map(|agent| agent.child.as_ref());
        let each = running.filter_map(|agent| memory_mib(agent.id()).ok());
        each.map(|(_, most)| most).fold(0.0, f64::max)
    }

    /// A number from `/metrics`, summed over its labels.
    ///
    /// # Errors
    /// If the server does not answer.
    pub fn metric(&self, name: &str) -> Result<f64> {
        let mut connection = Connection::open(&self.address, &self.token)?;
        let (_, body) = connection.get("/metrics")?;
        let text = String::from_utf8(body)?;
        let values = text.lines().filter(|line| {
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{']))
        });
        Ok(values.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum())
    }

    /// Whether the server says that it is ready.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let Ok(mut connection) = Connection::open(&self.address, "") else { return false };
        connection.get("/readyz").is_ok_and(|(status, _)| status == 200)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let agents = self.agents.drain(..).filter_map(|agent| agent.child);
        for mut child in agents.chain(self.server.take()) {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

fn has_ended(child: &mut Option<Child>) -> Result<bool> {
    match child {
        Some(running) => Ok(running.try_wait()?.is_some()),
        None => Ok(true),
    }
}

/// A free port below those that the system gives to outgoing connections, one of which could
/// otherwise take it while the server is down.
fn free_address() -> Result<String> {
    let first = 10_000 + std::process::id() % 20_000;
    (first..first + 1_000)
        .map(|port| format!("127.0.0.1:{port}"))
        .find(|address| std::net::TcpListener::bind(address).is_ok())
        .context("no port is free")
}

fn memory_mib(pid: u32) -> Result<(f64, f64)> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse::<f64>().ok().map(|kib| kib / 1024.0)
    };
    Ok((field("VmRSS:").context("VmRSS")?, field("VmHWM:").context("VmHWM")?))
}

/// One kept-alive HTTP/1.1 connection.
pub struct Connection {
    stream: BufReader<TcpStream>,
    head: String,
    line: String,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// If nobody listens.
    pub fn open(address: &str, token: &str) -> Result<Connection> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(120)))?;
        let head = format!("Host: {address}\r\nAuthorization: Bearer {token}\r\n");
        Ok(Connection {
            stream: BufReader::with_capacity(1 << 16, stream),
            head,
            line: String::new(),
        })
    }

    /// `GET path`: status and body.
    ///
    /// # Errors
    /// If the connection breaks.
    pub fn get(&mut self, path: &str) -> Result<(u16, Vec<u8>)> {
        let request = format!("GET {path} HTTP/1.1\r\n{}\r\n", self.head);
        self.stream.get_mut().write_all(request.as_bytes())?;
        self.answer()
    }

    /// The bytes of `POST path` with a JSON body and an idempotency key.
    #[must_use]
    pub fn post_bytes(&self, path: &str, key: &str, body: &str) -> Vec<u8> {
        format!(
            "POST {path} HTTP/1.1\r\n{}Idempotency-Key: {key}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.head,
            body.len()
        )
        .into_bytes()
    }

    /// Sends bytes made by [`Connection::post_bytes`].
    ///
    /// # Errors
    /// If the connection breaks.
    pub fn send(&mut self, request: &[u8]) -> Result<(u16, Vec<u8>)> {
        self.stream.get_mut().write_all(request)?;
        self.answer()
    }

    fn answer(&mut self) -> Result<(u16, Vec<u8>)> {
        self.next_line()?;
        let status = self.line.split(' ').nth(1).context("a status line")?.parse()?;
        let mut length = None;
        let mut chunked = false;
        loop {
            self.next_line()?;
            if self.line.trim_end().is_empty() {
                break;
            }
            let lower = self.line.to_ascii_lowercase();
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = Some(value.trim().parse::<usize>()?);
            }
            chunked |= lower.starts_with("transfer-encoding:") && lower.contains("chunked");
        }
        let mut body = Vec::new();
        if chunked {
            loop {
                self.next_line()?;
                let size = usize::from_str_radix(self.line.trim(), 16)?;
                let start = body.len();
                body.resize(start + size, 0);
                self.stream.read_exact(&mut body[start..])?;
                self.next_line()?;
                if size == 0 {
                    break;
                }
            }
        } else if let Some(length) = length {
            body.resize(length, 0);
            self.stream.read_exact(&mut body)?;
        }
        Ok((status, body))
    }

    fn next_line(&mut self) -> Result<()> {
        self.line.clear();
        let read = self.stream.read_line(&mut self.line)?;
        anyhow::ensure!(read > 0, "the server closed the connection");
        Ok(())
    }
}

/// Cores and load average, printed beside every figure.
#[must_use]
pub fn machine() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load: Vec<&str> = load.split(' ').take(3).collect();
    format!("{cores} cores, load average {}", load.join(" "))
}

/// The value at a share (0 to 1) of a list, which is sorted in place.
#[must_use]
pub fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    values.get((last as f64 * share).round() as usize).copied().unwrap_or(0.0)
}
