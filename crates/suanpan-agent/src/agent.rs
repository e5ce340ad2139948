//! The agent's loops: one thread polls for orders, one sends reports, one answers for output, and
//! the main thread compares and acts.

use crate::book::{Book, Step};
use crate::client::{Client, ClientError};
use crate::config::{AgentConfig, Shutdown};
use crate::data::board::Board;
use crate::data::store::Store;
use crate::driver::{Driver, LaunchDocument};
use crate::launches::Launches;
use crate::local::{LocalDriver, LocalSettings};
use crate::network::{Exchange, Network};
use crate::noop::NoopDriver;
use crate::peer::Directory;
use crate::reporter::{self, Outbox, Pause};
use crate::sitefile::Site;
use crate::slurm::{self, SlurmDriver, SlurmSettings};
use crate::{failpoint, logs, sitefile};
use anyhow::Context as _;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant, SystemTime};
use suanpan_model::id::AllocationId;
use suanpan_model::site::{DriverKind, Inventory};
use suanpan_site::order::{Desired, Order};
use suanpan_site::reconcile::{Action, judge};
use suanpan_site::report::{Fact, Report};
use suanpan_wire::agent::{LogRequest, NOT_APPROVED};

/// How often the machine is looked at when nothing wakes the agent.
const LOOK_PERIOD: Duration = Duration::from_millis(100);

/// And after a look that found something: where short jobs follow each other there is more.
const LOOK_SOON: Duration = Duration::from_millis(25);

/// How often everything is compared, whether or not something is known to have changed.
const FULL_PERIOD: Duration = Duration::from_secs(2);

/// How often the site file is looked at.
const SITE_FILE_PERIOD: Duration = Duration::from_secs(2);

/// How often an agent that waits for approval asks.
const APPROVAL_PERIOD: Duration = Duration::from_secs(2);

/// How often its log says so.
const WAITING_PERIOD: Duration = Duration::from_secs(60);

/// Runs an agent until it is told to end. Its jobs go on without it and are found again by the
/// next agent with the same state directory.
///
/// # Errors
/// If it cannot start: the token, the site file or the state directory cannot be used, or
/// another agent uses that directory. Once it runs, it waits for whatever is missing.
pub fn run(config: &AgentConfig, shutdown: &Shutdown) -> anyhow::Result<()> {
    failpoint::set_up();
    let client = Arc::new(Client::new(config)?);
    let site = sitefile::read(&config.site_file, config.driver)?;
    let mut inventory = site.inventory.clone();
    let state_dir = open_state_dir(&config.state_dir)?;
    let _lock = lock(&state_dir)?;
    let exe = match &config.exe {
        Some(exe) => exe.clone(),
        None => std::env::current_exe().context("finding the running binary")?,
    };
    let data_dir = site.data.dir.clone().unwrap_or_else(|| state_dir.join("data"));
    let store = Arc::new(Store::open(&data_dir, site.data.quota)?);
    let board = Board::default();
    let private_dir = state_dir.clone();
    let mut driver = open_driver(config, &site, state_dir, exe, board.clone())?;
    inventory = driver.take_inventory().unwrap_or(inventory);
    inventory.enforced = driver.enforced();
    let directory = Directory::default();
    let network = site
        .peer
        .as_ref()
        .map(|peer| Network::open(peer, &private_dir, directory.clone(), Arc::clone(&store) as _));
    let network = network.transpose()?;
    inventory.peer = network.as_ref().map(Network::point);
    tracing::info!(site = inventory.site, cluster = inventory.cluster, "agent starts");
    let shared = Arc::new(Shared::new(inventory.clone()));
    let outbox = Arc::new(Outbox::default());
    let (log_sender, log_requests) = channel();
    // The threads are not joined: each may be waiting for the server, and nothing they hold must
    // be saved. What is not yet reported is found again by the next agent.
    let (c, s, o, e) = (client.clone(), shared.clone(), outbox.clone(), shutdown.clone());
    let wait_s = config.poll_wait_s;
    std::thread::Builder::new().name("poll".into()).spawn(move || poll(&c, &s, &o, &e, wait_s))?;
    let (c, s, o, e) = (client.clone(), shared.clone(), outbox.clone(), shutdown.clone());
    std::thread::Builder::new()
        .name("report".into())
        .spawn(move || reporter::send(&c, &o, &e, || s.look()))?;
    let c = client.clone();
    std::thread::Builder::new()
        .name("logs".into())
        .spawn(move || logs::answer(&c, &log_requests))?;
    let exchange = Exchange {
        site: inventory.site.clone(),
        client: Arc::clone(&client),
        store: Arc::clone(&store),
        board,
        directory,
        network,
    };
    exchange.start(config, shutdown)?;
    let site_file = SiteFile::new(&config.site_file, inventory.driver);
    Main {
        client,
        shared,
        outbox,
        driver,
        log_sender,
        site_file,
        store,
        inventory,
        launches: Launches::default(),
        full_at: Instant::now(),
        look: LOOK_PERIOD,
    }
    .run(shutdown);
    tracing::info!("agent ends; its jobs go on");
    Ok(())
}

fn open_driver(
    config: &AgentConfig,
    site: &Site,
    state_dir: PathBuf,
    exe: PathBuf,
    board: Board,
) -> anyhow::Result<Box<dyn Driver>> {
    let grace_s = config.grace_s;
    Ok(match site.inventory.driver {
        DriverKind::Local => {
            let settings = LocalSettings { state_dir, exe, grace_s, board };
            Box::new(LocalDriver::open(settings, &site.inventory)?)
        }
        DriverKind::Noop => Box::new(NoopDriver::default()),
        DriverKind::Slurm => {
            let network = slurm::network(&state_dir, &config.token_file)?;
            let settings = SlurmSettings { state_dir, exe, grace_s, network, board };
            Box::new(SlurmDriver::open(settings, site)?)
        }
    })
}

pub(crate) fn open_state_dir(path: &Path) -> anyhow::Result<PathBuf> {
    crate::local::files::private_dir(path)
        .and_then(|()| fs::canonicalize(path))
        .with_context(|| format!("state directory {}", path.display()))
}

pub(crate) fn lock(state_dir: &Path) -> anyhow::Result<nix::fcntl::Flock<fs::File>> {
    let path = state_dir.join("lock");
    let file = fs::OpenOptions::new().create(true).truncate(false).write(true).open(&path)?;
    nix::fcntl::Flock::lock(file, nix::fcntl::FlockArg::LockExclusiveNonblock).map_err(
        |(_, errno)| {
            anyhow::anyhow!("{}: another agent uses this state directory ({errno})", path.display())
        },
    )
}

/// What the polling thread and the main thread share.
struct Shared {
    book: Mutex<Book>,
    inbox: Mutex<Inbox>,
    wake: Condvar,
    inventory: Mutex<Inventory>,
}

#[derive(Default)]
struct Inbox {
    touched: BTreeSet<AllocationId>,
    gone: Vec<AllocationId>,
    log_requests: Vec<LogRequest>,
    /// The control plane knows of more starts.
    heard: bool,
}

impl Shared {
    fn new(inventory: Inventory) -> Shared {
        Shared {
            book: Mutex::default(),
            inbox: Mutex::default(),
            wake: Condvar::new(),
            inventory: Mutex::new(inventory),
        }
    }

    /// Has the main thread look at once: a job waits to go on.
    fn look(&self) {
        self.inbox.lock().expect("no holder of this lock panics").heard = true;
        self.wake.notify_one();
    }

    fn inventory(&self) -> Inventory {
        self.inventory.lock().expect("no holder of this lock panics").clone()
    }
}

fn poll(client: &Client, shared: &Shared, outbox: &Outbox, shutdown: &Shutdown, wait_s: u32) {
    let mut pause = Pause::default();
    let mut announced: Option<Inventory> = None;
    // When the log last said that the operator has not approved this cluster yet.
    let mut waits: Option<Instant> = None;
    while !shutdown.is_triggered() {
        // A server that restarted, or another one after it, hears of the inventory first.
        let inventory = shared.inventory();
        if announced.as_ref() != Some(&inventory) {
            match client.inventory(&inventory) {
                Ok(welcome) => {
                    tracing::info!(cluster = welcome.cluster.0, "known to the control plane");
                    announced = Some(inventory);
                }
                Err(error) if is_waiting(&error) => {
                    if waits.is_none_or(|said| said.elapsed() > WAITING_PERIOD) {
                        waits = Some(Instant::now());
                        tracing::info!("waiting for approval: {}", words_of(&error));
                    }
                    let _ = shutdown.wait(APPROVAL_PERIOD);
                    continue;
                }
                Err(error) => {
                    complain(&error, "the inventory is not taken");
                    let _ = shutdown.wait(pause.next());
                    continue;
                }
            }
        }
        let since = shared.book.lock().expect("no holder of this lock panics").since();
        match client.orders(since, wait_s) {
            Ok(mut answer) => {
                pause = Pause::default();
                if answer.whole.is_some() {
                    outbox.tell_again();
                }
                let requests = std::mem::take(&mut answer.log_requests);
                let applied =
                    shared.book.lock().expect("no holder of this lock panics").apply(&mut answer);
                let mut inbox = shared.inbox.lock().expect("no holder of this lock panics");
                inbox.touched.extend(applied.touched);
                inbox.gone.extend(applied.gone);
                inbox.log_requests.extend(requests);
                shared.wake.notify_one();
            }
            Err(error) => {
                complain(&error, "no answer to the poll for orders");
                announced = None;
                let _ = shutdown.wait(pause.next());
            }
        }
    }
}

fn is_waiting(error: &ClientError) -> bool {
    matches!(error, ClientError::Status { problem: Some(problem), .. }
        if problem.code == NOT_APPROVED)
}

fn words_of(error: &ClientError) -> String {
    match error {
        ClientError::Status { text, .. } => text.clone(),
        other => other.to_string(),
    }
}

fn complain(error: &ClientError, what: &str) {
    match error {
        ClientError::Status { status: 401, .. } => tracing::error!(
            "{what}: the server does not know this agent's token; if the cluster was revoked, \
             join again with a new join token"
        ),
        ClientError::Unreachable(_) => tracing::warn!(%error, "{what}"),
        ClientError::Status { .. } | ClientError::Answer(_) | ClientError::Untrusted(_) => {
            tracing::error!(%error, "{what}")
        }
    }
}

/// The main thread: compares and acts.
struct Main {
    client: Arc<Client>,
    shared: Arc<Shared>,
    outbox: Arc<Outbox>,
    driver: Box<dyn Driver>,
    log_sender: Sender<(LogRequest, Option<PathBuf>)>,
    site_file: SiteFile,
    store: Arc<Store>,
    inventory: Inventory,
    launches: Launches,
    full_at: Instant,
    /// How long until the machine is looked at again.
    look: Duration,
}

impl Main {
    fn run(&mut self, shutdown: &Shutdown) {
        while !shutdown.is_triggered() {
            let inbox = self.wait();
            if !inbox.touched.is_empty() {
                failpoint::reached("agent-after-orders");
            }
            for request in inbox.log_requests {
                let path = self.driver.output(request.allocation, request.stream);
                // The receiver ends only with the process.
                let _ = self.log_sender.send((request, path));
            }
            for id in &inbox.gone {
                self.outbox.drop_allocation(*id);
            }
            for id in self.outbox.take_acknowledged() {
                self.driver.acknowledged(id);
            }
            let mut ids = inbox.touched;
            let found = self.driver.refresh();
            self.look = if found.is_empty() { LOOK_PERIOD } else { LOOK_SOON };
            ids.extend(found);
            self.outbox.say(self.driver.take_waits());
            if let Some(inventory) = self.driver.take_inventory() {
                self.tell_inventory(inventory);
            }
            if self.full_at.elapsed() >= FULL_PERIOD {
                self.full_at = Instant::now();
                let book = self.shared.book.lock().expect("no holder of this lock panics");
                ids.extend(book.orders().keys());
                drop(book);
                ids.extend(self.driver.observed().keys());
            }
            self.reconcile(ids);
            self.look_at_site_file();
        }
    }

    fn wait(&self) -> Inbox {
        let inbox = self.shared.inbox.lock().expect("no holder of this lock panics");
        let nothing = |inbox: &mut Inbox| {
            inbox.touched.is_empty() && inbox.log_requests.is_empty() && !inbox.heard
        };
        let waited = self.shared.wake.wait_timeout_while(inbox, self.look, nothing);
        std::mem::take(&mut *waited.expect("no holder of this lock panics").0)
    }

    fn reconcile(&mut self, ids: BTreeSet<AllocationId>) {
        let mut reports = Vec::new();
        for id in ids {
            // After a launch or a stop there may at once be something to report.
            for _ in 0..2 {
                let order = {
                    let book = self.shared.book.lock().expect("no holder of this lock panics");
                    if book.step() == Step::Unknown {
                        return;
                    }
                    book.orders().get(&id).cloned()
                };
                let actions = judge(order.as_ref(), self.driver.observed().get(&id));
                let mut changed = false;
                for action in actions {
                    match action {
                        Action::Report => reports.extend(self.driver.reports(id)),
                        action => {
                            self.act(id, order.as_ref(), *action, &mut reports);
                            changed = true;
                        }
                    }
                }
                if !changed {
                    break;
                }
            }
        }
        if !reports.is_empty() {
            self.outbox.offer(reports);
        }
    }

    fn act(
        &mut self,
        id: AllocationId,
        order: Option<&Order>,
        action: Action,
        reports: &mut Vec<Report>,
    ) {
        let generation = |driver: &dyn Driver| {
            let seen = driver.observed().get(&id).map(|seen| seen.generation);
            order.map(|order| order.generation).or(seen).unwrap_or_default()
        };
        let done = match (action, order) {
            (Action::Launch, Some(order)) => self.launch(order, reports),
            (Action::Stop(_), _) => self.driver.stop(id, generation(self.driver.as_ref())),
            (Action::Warn, _) => self.driver.warn(id),
            (Action::Settle, _) => self.driver.settle(id),
            (Action::Forget, _) => {
                self.driver.forget(id);
                Ok(())
            }
            (Action::Launch, None) | (Action::Report, _) => Ok(()),
        };
        if let Err(error) = done {
            tracing::warn!(allocation = id.0, ?action, %error, "not possible now, tried again");
        }
    }

    fn launch(&mut self, order: &Order, reports: &mut Vec<Report>) -> std::io::Result<()> {
        let Desired::Run(run) = &order.desired else { return Ok(()) };
        if self.driver.launch_document() == LaunchDocument::Unneeded {
            return self.driver.launch(order, None);
        }
        match self.launches.get(&self.client, run.launch)? {
            Ok(launch) => self.driver.launch(order, Some(&launch)),
            Err(reason) => {
                reports.push(Report {
                    allocation: order.allocation,
                    generation: order.generation,
                    at: crate::local::files::now(),
                    fact: Fact::Refused { reason },
                });
                Ok(())
            }
        }
    }

    fn look_at_site_file(&mut self) {
        let Some(read) = self.site_file.changed() else { return };
        match read {
            Ok(site) => {
                let inventory = &site.inventory;
                if (&inventory.site, &inventory.cluster, inventory.driver)
                    != (&self.inventory.site, &self.inventory.cluster, self.inventory.driver)
                {
                    tracing::error!(
                        "the site file names another site, cluster or driver; restart the agent \
                         for that"
                    );
                    return;
                }
                self.driver.set_site(&site);
                self.store.set_quota(site.data.quota);
                tracing::info!("the site file changed");
                let found = self.driver.take_inventory();
                let inventory = found.unwrap_or_else(|| site.inventory.clone());
                self.tell_inventory(inventory);
                // Told at once; if that fails the polling thread tells it before its next poll.
                if let Err(error) = self.client.inventory(&self.inventory) {
                    complain(&error, "the changed inventory is not taken yet");
                }
            }
            Err(error) => tracing::error!(%error, "the changed site file is not used"),
        }
    }
}

impl Main {
    /// Has the polling thread tell it before its next poll, if it is another one.
    fn tell_inventory(&mut self, mut inventory: Inventory) {
        inventory.enforced = self.driver.enforced();
        inventory.peer.clone_from(&self.inventory.peer);
        if inventory != self.inventory {
            self.inventory = inventory.clone();
            *self.shared.inventory.lock().expect("no holder of this lock panics") = inventory;
        }
    }
}

/// The site file, and when it was last read.
struct SiteFile {
    path: PathBuf,
    driver: DriverKind,
    modified: Option<SystemTime>,
    looked: Instant,
}

impl SiteFile {
    fn new(path: &Path, driver: DriverKind) -> SiteFile {
        let modified = fs::metadata(path).and_then(|m| m.modified()).ok();
        SiteFile { path: path.to_owned(), driver, modified, looked: Instant::now() }
    }

    fn changed(&mut self) -> Option<Result<sitefile::Site, sitefile::SiteFileError>> {
        if self.looked.elapsed() < SITE_FILE_PERIOD {
            return None;
        }
        self.looked = Instant::now();
        let modified = fs::metadata(&self.path).and_then(|m| m.modified()).ok()?;
        if self.modified == Some(modified) {
            return None;
        }
        self.modified = Some(modified);
        Some(sitefile::read(&self.path, Some(self.driver)))
    }
}
