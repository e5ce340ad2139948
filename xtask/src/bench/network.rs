//! Starts a real server (and agents) from the release binary in a fresh directory, and speaks HTTP
//! to it over kept-alive connections as cheaply as possible: the load generator shares the cores.

use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A server process and its data directory; both go when this is dropped.
pub struct Network {
    /// Data directory of the server.
    pub data: PathBuf,
    /// The binary under test.
    pub binary: PathBuf,
    /// Address the server listens on.
    pub address: String,
    /// A user's token.
    pub token: String,
    server: Option<Child>,
    agents: Vec<Child>,
    folder: tempfile::TempDir,
}

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
    /// Starts a server in a fresh directory.
    ///
    /// # Errors
    /// If it does not become ready within 30 seconds.
    pub fn start(binary: &Path, flags: &[&str]) -> Result<Network> {
        let folder = tempfile::Builder::new().prefix("suanpan-bench-").tempdir()?;
        let data = folder.path().join("data");
        let mut network = Network {
            data,
            binary: binary.to_owned(),
            address: String::new(),
            token: String::new(),
            server: None,
            agents: Vec::new(),
            folder,
        };
        network.start_server(flags)?;
        Ok(network)
    }

    /// Starts the server on the same data directory; returns the time until it was ready.
    ///
    /// # Errors
    /// If it does not become ready within 10 minutes.
    pub fn start_server(&mut self, flags: &[&str]) -> Result<Duration> {
        let file = self.data.join("server.addr");
        std::fs::remove_file(&file).ok();
        let log = std::fs::File::create(self.folder.path().join("server.log"))?;
        let began = Instant::now();
        let child = Command::new(&self.binary)
            .args(["server", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(&self.data)
            .args(flags)
            .stdin(Stdio::null())
            .stderr(log)
            .stdout(Stdio::null())
            .spawn()
            .context("starting the server")?;
        self.server = Some(child);
        loop {
            if let Ok(address) = std::fs::read_to_string(&file) {
                self.address = address.trim().to_owned();
                if self.is_ready() {
                    break;
                }
            }
            let gone = self.server.as_mut().map(Child::try_wait).transpose()?.flatten();
            if gone.is_some() || began.elapsed() > Duration::from_secs(600) {
                let log = std::fs::read_to_string(self.folder.path().join("server.log"))?;
                bail!("the server did not become ready:\n{log}");
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let took = began.elapsed();
        self.token = std::fs::read_to_string(self.data.join("user.token"))?.trim().to_owned();
        Ok(took)
    }

    /// Adds a cluster and starts its agent from a site file's text.
    ///
    /// # Errors
    /// If the server does not add it or the agent does not start.
    pub fn add_agent(&mut self, name: &str, site_file: &str) -> Result<()> {
        let site = self.folder.path().join(format!("{name}.toml"));
        std::fs::write(&site, site_file)?;
        let token = self.folder.path().join(format!("{name}.token"));
        let added = Command::new(&self.binary)
            .args(["sites", "add", name, "--token-file"])
            .arg(&token)
            .env("SUANPAN_SERVER", format!("http://{}", self.address))
            .env("SUANPAN_TOKEN_FILE", self.data.join("user.token"))
            .stdout(Stdio::null())
            .status()?;
        anyhow::ensure!(added.success(), "the cluster {name} could not be added");
        let log = std::fs::File::create(self.folder.path().join(format!("{name}.log")))?;
        let agent = Command::new(&self.binary)
            .arg("agent")
            .arg("--site-file")
            .arg(&site)
            .args(["--server", &format!("http://{}", self.address), "--token-file"])
            .arg(&token)
            .arg("--state-dir")
            .arg(self.folder.path().join(format!("{name}.state")))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        self.agents.push(agent);
        Ok(())
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
        let each = self.agents.iter().filter_map(|agent| memory_mib(agent.id()).ok());
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

    fn is_ready(&self) -> bool {
        let Ok(mut connection) = Connection::open(&self.address, "") else { return false };
        connection.get("/readyz").is_ok_and(|(status, _)| status == 200)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for mut child in self.agents.drain(..).chain(self.server.take()) {
            child.kill().ok();
            child.wait().ok();
        }
    }
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
