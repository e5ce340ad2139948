//! A server from its settings to its end.

use crate::config::{Config, LogFormat};
use crate::data::DataHub;
use crate::http::auth::{Token, TokenKind, Tokens};
use crate::http::{App, Phase, router, tls};
use crate::pipeline::{ControlPlane, Options, SchedulerOptions, Stopper};
use anyhow::{Context, Result};
use axum::serve::{Listener, ListenerExt};
use std::fs;
use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use suanpan_engine::command::{AddUser, Caller, Command};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// File in the data directory with the first user's token, readable by its owner only.
pub const TOKEN_FILE: &str = "user.token";

/// File in the data directory with the address that is served, while it is.
pub const ADDRESS_FILE: &str = "server.addr";

/// Threads for reads that block on the disk.
const BLOCKING_THREADS: usize = 16;

/// Serves until SIGTERM or SIGINT, then stops gracefully: takes no new connections, finishes the
/// requests under way, makes everything durable and saves a checkpoint.
///
/// # Errors
/// If the data directory is in use or cannot be read, the address cannot be taken, the certificate
/// cannot be used, or the journal fails. The caller should then exit with another code than 0.
pub fn serve(config: Config) -> Result<()> {
    start_log(&config)?;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&config.data_dir)
        .with_context(|| format!("cannot make the data directory {}", config.data_dir.display()))?;
    let (plane, stopper) = ControlPlane::start(options(&config))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(config.threads)
        .max_blocking_threads(BLOCKING_THREADS)
        .thread_name("http")
        .enable_all()
        .build()
        .context("cannot start the threads that serve requests")?;
    let served = runtime.block_on(run(&config, plane, &stopper));
    runtime.shutdown_timeout(config.limits.stop_time);
    // A file that names no server any more would mislead; one that cannot be removed is harmless.
    let _ = fs::remove_file(config.data_dir.join(ADDRESS_FILE));
    let stopped = stopper.stop();
    served.and(stopped)
}

fn options(config: &Config) -> Options {
    Options {
        scheduler: SchedulerOptions { period: config.scheduler_period, ..Default::default() },
        checkpoint_every: config.checkpoint_every,
        contact_period: config.contact_period,
        withdraw_after: config.withdraw_after,
        links: config.links.clone(),
        ..Options::new(config.data_dir.clone())
    }
}

/// Begins to log, unless this process logs already.
fn start_log(config: &Config) -> Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_new(&config.log_level)
        .with_context(|| format!("log.level: {:?} is no filter of log lines", config.log_level))?;
    let colors = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(colors)
        .with_writer(std::io::stderr);
    // An error means that this process logs already, as in tests.
    let _ = match config.log_format {
        LogFormat::Text => log.try_init(),
        LogFormat::Json => log.json().try_init(),
    };
    Ok(())
}

async fn run(config: &Config, plane: ControlPlane, stopper: &Stopper) -> Result<()> {
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("listen: cannot take the address {}", config.listen))?;
    let address = listener.local_addr().context("the listener has no address")?;
    let tls = config.tls.as_ref().map(|tls| tls::open(tls, &config.data_dir, address));
    let (acceptor, identity) = match tls.transpose()? {
        Some((acceptor, identity)) => (Some(acceptor), identity),
        None => (None, tls::Identity::default()),
    };
    let tokens = Tokens::default();
    first_user(&plane, &config.data_dir).await?;
    for (hash, caller) in plane.ask(|state, _| state.tokens().collect::<Vec<_>>()).await? {
        tokens.insert(hash, caller);
    }
    let (stop, stopping) = watch::channel(Phase::Serving);
    let mut nonce = [0u8; 8];
    getrandom::fill(&mut nonce).context("the system has no random numbers")?;
    let nonce = u64::from_le_bytes(nonce);
    let places = (config.data_dir.clone(), DataHub::open(config.data.clone())?);
    let app = App::new(plane, places, tokens, identity, config.limits, stopping.clone(), nonce);
    let app = Arc::new(app);
    let keeper = Arc::clone(&app);
    tokio::spawn(async move { keeper.keep_data().await });
    let router = router::build(app);
    write_address(&config.data_dir, address)?;
    let ending = end(stop, stopper);
    match acceptor {
        None => {
            tracing::info!(%address, "serving http");
            let listener = listener.tap_io(|stream| set_nodelay(stream));
            serve_on(config, listener, router, stopping, ending).await
        }
        Some(acceptor) => {
            tracing::info!(%address, "serving https");
            let listener = tls::TlsListener::new(listener, acceptor)?;
            serve_on(config, listener, router, stopping, ending).await
        }
    }
}

/// Small answers leave at once.
pub(crate) fn set_nodelay(stream: &tokio::net::TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
}

async fn serve_on<L>(
    config: &Config,
    listener: L,
    router: axum::Router,
    stopping: watch::Receiver<Phase>,
    ending: impl Future<Output = Result<()>>,
) -> Result<()>
where
    L: Listener,
    L::Addr: std::fmt::Debug,
{
    let mut stopped = stopping.clone();
    let serving = axum::serve(listener, router).with_graceful_shutdown(async move {
        // An error means that the sender is gone, and with it the server.
        let _ = stopped.wait_for(|phase| *phase == Phase::Stopping).await;
    });
    let serving = tokio::spawn(serving.into_future());
    ending.await?;
    match tokio::time::timeout(config.limits.stop_time, serving).await {
        Ok(Ok(served)) => served.context("serving failed"),
        Ok(Err(error)) => Err(error).context("the tokio task that serves failed"),
        Err(_) => {
            tracing::warn!("requests were still under way at the end of limits.stop_time");
            Ok(())
        }
    }
}

/// Waits for a signal, or for the journal to fail; tells the handlers.
async fn end(stop: watch::Sender<Phase>, stopper: &Stopper) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let ended = tokio::select! {
        _ = terminate.recv() => Ok("SIGTERM"),
        _ = interrupt.recv() => Ok("SIGINT"),
        why = stopper.failed() => Err(anyhow::anyhow!("the server had to end: {why}")),
    };
    match &ended {
        Ok(signal) => tracing::info!(signal, "stopping"),
        Err(error) => tracing::error!("{error}"),
    }
    stop.send_replace(Phase::Stopping);
    ended.map(|_| ())
}

/// At the first start: makes a user of the name of the Unix account, and their token's file.
async fn first_user(plane: &ControlPlane, data_dir: &Path) -> Result<()> {
    let path = data_dir.join(TOKEN_FILE);
    if plane.ask(|state, _| state.has_users()).await? {
        return Ok(());
    }
    let token = match fs::read_to_string(&path) {
        // The process ended between writing the file and recording the user.
        Ok(text) => {
            let (token, _) = Token::parse(text.trim())
                .with_context(|| format!("{} has no user's token in it", path.display()))?;
            token
        }
        Err(_) => {
            let token = Token::generate(TokenKind::User)?;
            write_secret(&path, token.reveal())
                .with_context(|| format!("cannot write the first token to {}", path.display()))?;
            token
        }
    };
    let add = AddUser { user: account_name(), token: token.hash() };
    plane.command(Caller::System, Command::AddUser(add), Vec::new()).await?;
    tracing::info!(path = %path.display(), "made the first user's token");
    Ok(())
}

fn account_name() -> String {
    let user = nix::unistd::User::from_uid(nix::unistd::getuid()).ok().flatten();
    user.map_or_else(|| "operator".to_owned(), |user| user.name)
}

/// Writes a file that only its owner can read, whole or not at all.
pub(crate) fn write_secret(path: &Path, text: &str) -> std::io::Result<()> {
    let draft = path.with_extension("tmp");
    // A draft left by a crash may have been made with other rights.
    if let Err(error) = fs::remove_file(&draft)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        return Err(error);
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    writeln!(file, "{text}")?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    sync_dir(path)
}

fn write_address(data_dir: &Path, address: SocketAddr) -> Result<()> {
    let path: PathBuf = data_dir.join(ADDRESS_FILE);
    let draft = path.with_extension("tmp");
    fs::write(&draft, format!("{address}\n"))
        .and_then(|()| fs::rename(&draft, &path))
        .with_context(|| format!("cannot write the address to {}", path.display()))
}

fn sync_dir(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        Some(parent) => fs::File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}
