//! A real server in a directory of its own, started under another program, and a plain client.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A job that was acknowledged.
#[derive(Clone, Debug)]
pub struct Submitted {
    /// Its id.
    pub id: u64,
    /// Its name, which is in no other job.
    pub name: String,
    /// Position in the journal.
    pub seq: u64,
}

/// A data directory, the logs beside it, and the server that has it.
pub struct Scene {
    place: tempfile::TempDir,
    child: Option<Child>,
    address: String,
    token: String,
    acknowledged: AtomicUsize,
}

impl Scene {
    /// Fresh directories; nothing is started.
    pub fn new() -> Scene {
        let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
        for name in ["data", "log"] {
            std::fs::create_dir(place.path().join(name)).expect("a directory in it");
        }
        Scene {
            place,
            child: None,
            address: String::new(),
            token: String::new(),
            acknowledged: AtomicUsize::new(0),
        }
    }

    /// Where everything is.
    pub fn place(&self) -> &Path {
        self.place.path()
    }

    /// The server's data directory.
    pub fn data(&self) -> PathBuf {
        self.place.path().join("data")
    }

    /// For logs of what happened to the data directory.
    pub fn log(&self) -> PathBuf {
        self.place.path().join("log")
    }

    /// Starts the server as an argument of another program, and waits until it is ready.
    pub fn start_under(&mut self, program: Command, env: &[(&str, &str)]) {
        self.try_start_under(program, env).expect("the server starts");
    }

    /// As [`Scene::start_under`]; the end of the server's log if it does not become ready.
    pub fn try_start_under(
        &mut self,
        mut program: Command,
        env: &[(&str, &str)],
    ) -> Result<(), String> {
        let address = self.data().join("server.addr");
        // A file that was left by a killed server names nobody.
        let _ = std::fs::remove_file(&address);
        let log_path = self.place().join("server.log");
        let log = std::fs::File::create(&log_path).expect("a log");
        program.arg(env!("CARGO_BIN_EXE_suanpan"));
        program.args(["server", "--listen", "127.0.0.1:0", "--data-dir"]).arg(self.data());
        program.envs(env.iter().copied()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.child = Some(program.spawn().expect("the server's program can be run"));
        self.acknowledged.store(0, Ordering::SeqCst);
        let began = Instant::now();
        loop {
            let child = self.child.as_mut().expect("it was just started");
            let ended = child.try_wait().expect("it can be waited for");
            if ended.is_some() || began.elapsed() > Duration::from_secs(60) {
                self.reap();
                let log = std::fs::read_to_string(&log_path).unwrap_or_default();
                return Err(format!("the server did not become ready: {ended:?}\n{log}"));
            }
            if let Ok(text) = std::fs::read_to_string(&address) {
                self.address = text.trim().to_owned();
                if matches!(self.get("/readyz", None), Some((200, _))) {
                    break;
                }
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let token = std::fs::read_to_string(self.data().join("user.token"));
        self.token = token.map_err(|error| format!("user.token: {error}"))?.trim().to_owned();
        Ok(())
    }

    /// Submits one job, once; nothing if no success was answered.
    pub fn submit(&self, name: &str) -> Option<Submitted> {
        let body = serde_json::json!({
            "payload": { "script": format!("#!/bin/sh\necho {name}\n") }, "name": name,
            "hold": true, "time": "5", "submit_dir": "/tmp",
        })
        .to_string();
        let head = format!(
            "POST /v1/jobs HTTP/1.1\r\nIdempotency-Key: {name}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n",
            body.len()
        );
        let (status, answer) = self.ask(&head, &body)?;
        assert_eq!(status, 201, "{answer}");
        let answer: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
        self.acknowledged.fetch_add(1, Ordering::SeqCst);
        Some(Submitted {
            id: answer["jobs"][0]["id"].as_u64().expect("an id"),
            name: name.to_owned(),
            seq: answer["seq"].as_u64().expect("a position"),
        })
    }

    /// Every one of these jobs is there, under its name; what is wrong otherwise.
    pub fn all_there(&self, jobs: &[Submitted]) -> Result<(), String> {
        for job in jobs {
            let path = format!("/v1/jobs/{}", job.id);
            let (status, body) = self.get(&path, Some(job.seq)).ok_or("no answer")?;
            let detail: serde_json::Value = serde_json::from_str(&body).unwrap_or_default();
            if status != 200 || detail["name"] != job.name.as_str() {
                return Err(format!("acknowledged {job:?}, now {status} {body}"));
            }
        }
        Ok(())
    }

    /// Kills the server once it has acknowledged so many jobs.
    pub fn kill_after(&self, enough: usize) {
        let began = Instant::now();
        while self.acknowledged.load(Ordering::SeqCst) < enough {
            assert!(began.elapsed() < Duration::from_secs(60), "submissions are acknowledged");
            std::thread::sleep(Duration::from_millis(1));
        }
        self.signal("-KILL");
    }

    /// Asks the server to stop and waits for it.
    pub fn terminate(&mut self) {
        self.signal("-TERM");
        let status = self.child.take().expect("it runs").wait().expect("it can be waited for");
        assert!(status.success(), "the server ended with {status}");
    }

    /// Waits for the end of what was started.
    pub fn reap(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It has ended, or it is not to go on.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// `suanpan journal verify` finds nothing; what it finds otherwise.
    pub fn verify(&self) -> Result<(), String> {
        let mut verify = Command::new(env!("CARGO_BIN_EXE_suanpan"));
        verify.args(["journal", "verify", "--data-dir"]).arg(self.data());
        let output = verify.output().expect("the binary can be run");
        match output.status.success() {
            true => Ok(()),
            false => Err(format!("verify: {}", String::from_utf8_lossy(&output.stdout))),
        }
    }

    /// The server itself, which may be the child of what was started, has its id in its lock.
    fn signal(&self, signal: &str) {
        let lock = std::fs::read_to_string(self.data().join("lock")).expect("a lock");
        let pid = lock.trim().to_owned();
        let sent = Command::new("kill").args([signal, &pid]).status().expect("kill can be run");
        assert!(sent.success(), "process {pid} is there");
    }

    fn get(&self, path: &str, seen: Option<u64>) -> Option<(u16, String)> {
        let seen = seen.map_or_else(String::new, |seq| format!("Suanpan-Seq: {seq}\r\n"));
        self.ask(&format!("GET {path} HTTP/1.1\r\n{seen}"), "")
    }

    /// One request on a connection of its own; nothing if no whole answer came.
    fn ask(&self, head: &str, body: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(60))).ok()?;
        let (address, token) = (&self.address, &self.token);
        let rest = format!(
            "Host: {address}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n{body}"
        );
        stream.write_all(format!("{head}{rest}").as_bytes()).ok()?;
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let status = line.split(' ').nth(1)?.parse().ok()?;
        let mut length = 0;
        while line.trim_end() != "" {
            line.clear();
            reader.read_line(&mut line).ok()?;
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
        }
        let mut answer = vec![0; length];
        reader.read_exact(&mut answer).ok()?;
        Some((status, String::from_utf8(answer).ok()?))
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if self.child.is_some() && self.data().join("lock").exists() {
            let lock = std::fs::read_to_string(self.data().join("lock")).unwrap_or_default();
            // A test that failed leaves no server behind.
            let _ = Command::new("kill").args(["-KILL", lock.trim()]).status();
        }
        self.reap();
    }
}
