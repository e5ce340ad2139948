//! Sends reports in batches until the control plane has them.

use crate::client::{Client, ClientError};
use crate::config::Shutdown;
use crate::failpoint;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};
use suanpan_model::id::AllocationId;
use suanpan_site::report::{Fact, Report};
use suanpan_wire::agent::{Reports, SiteWait};

/// Most reports in one request.
const BATCH_MAX: usize = 4_000;

/// An end whose order does not disappear is reported again after this time.
const REPEAT: Duration = Duration::from_secs(10);

/// Reports that wait to be sent, and what was sent of each allocation.
#[derive(Default)]
pub struct Outbox {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Report>,
    sent: BTreeMap<AllocationId, Sent>,
    acknowledged: Vec<AllocationId>,
    /// What was last said of jobs that wait at the site, and whose words are still to be told.
    waits: BTreeMap<AllocationId, String>,
    untold: BTreeSet<AllocationId>,
}

#[derive(Clone, Copy)]
struct Sent {
    rank: u8,
    delivery: Delivery,
    at: Instant,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Delivery {
    Waiting,
    Durable,
}

impl Outbox {
    /// Takes what is to be told about an allocation; what was told already is left out.
    pub fn offer(&self, reports: Vec<Report>) {
        let mut state = self.state.lock().expect("no holder of this lock panics");
        let mut news = false;
        for report in reports {
            let rank = rank(&report.fact);
            let told = state.sent.get(&report.allocation);
            let known = told.is_some_and(|sent| match sent.rank.cmp(&rank) {
                std::cmp::Ordering::Less => false,
                std::cmp::Ordering::Greater => true,
                std::cmp::Ordering::Equal => {
                    sent.delivery == Delivery::Waiting || rank < LAST || sent.at.elapsed() < REPEAT
                }
            });
            if !known {
                let sent = Sent { rank, delivery: Delivery::Waiting, at: Instant::now() };
                state.sent.insert(report.allocation, sent);
                state.queue.push_back(report);
                news = true;
            }
        }
        if news {
            self.wake.notify_one();
        }
    }

    /// Forgets that anything was told, because the control plane may have started anew; what
    /// still waits is sent once.
    pub fn tell_again(&self) {
        let mut state = self.state.lock().expect("no holder of this lock panics");
        state.sent.retain(|_, sent| sent.delivery == Delivery::Waiting);
        state.untold = state.waits.keys().copied().collect();
    }

    /// Takes why jobs wait at the site, where that changed.
    pub fn say(&self, waits: Vec<SiteWait>) {
        if waits.is_empty() {
            return;
        }
        let mut state = self.state.lock().expect("no holder of this lock panics");
        for SiteWait { allocation, reason } in waits {
            state.untold.insert(allocation);
            state.waits.insert(allocation, reason);
        }
        self.wake.notify_one();
    }

    /// Drops what is known of an allocation whose order is gone.
    pub fn drop_allocation(&self, id: AllocationId) {
        let mut state = self.state.lock().expect("no holder of this lock panics");
        state.sent.remove(&id);
        state.waits.remove(&id);
        state.untold.remove(&id);
    }

    fn take(&self, most: usize, timeout: Duration) -> Reports {
        let state = self.state.lock().expect("no holder of this lock panics");
        let nothing = |state: &mut State| state.queue.is_empty() && state.untold.is_empty();
        let waited = self.wake.wait_timeout_while(state, timeout, nothing);
        let mut state = waited.expect("no holder of this lock panics").0;
        let count = state.queue.len().min(most);
        let reports = state.queue.drain(..count).collect();
        let mut waits = Vec::new();
        while waits.len() < most
            && let Some(allocation) = state.untold.pop_first()
        {
            let reason = state.waits.get(&allocation).cloned();
            waits.extend(reason.map(|reason| SiteWait { allocation, reason }));
        }
        Reports { reports, waits }
    }

    fn put_back(&self, batch: Reports) {
        let mut state = self.state.lock().expect("no holder of this lock panics");
        for report in batch.reports.into_iter().rev() {
            state.queue.push_front(report);
        }
        state.untold.extend(batch.waits.into_iter().map(|wait| wait.allocation));
    }

    /// Allocations whose start the control plane knows of since the last call, and still wants.
    pub fn take_acknowledged(&self) -> Vec<AllocationId> {
        std::mem::take(&mut self.state.lock().expect("no holder of this lock panics").acknowledged)
    }

    /// Notes what the control plane knows now; whether starts are among it.
    fn delivered(&self, reports: &[Report], withdrawn: &[AllocationId]) -> bool {
        let mut state = self.state.lock().expect("no holder of this lock panics");
        for report in reports {
            if report.fact == Fact::Started && !withdrawn.contains(&report.allocation) {
                state.acknowledged.push(report.allocation);
            }
            let rank = rank(&report.fact);
            if let Some(sent) = state.sent.get_mut(&report.allocation)
                && sent.rank == rank
            {
                sent.delivery = Delivery::Durable;
                sent.at = Instant::now();
            }
        }
        !state.acknowledged.is_empty()
    }
}

const LAST: u8 = 3;

fn rank(fact: &Fact) -> u8 {
    match fact {
        Fact::Staging => 1,
        Fact::Started => 2,
        Fact::Ended(_) | Fact::Refused { .. } => LAST,
    }
}

/// Sends until the agent ends. A failed request is repeated for ever, ever more slowly up to
/// every ten seconds; a report that the server refuses by itself is dropped and comes again with
/// the next round. `heard` is called when the control plane knows of more starts.
pub fn send(client: &Client, outbox: &Outbox, shutdown: &Shutdown, heard: impl Fn()) {
    let mut pause = Pause::default();
    let mut most = BATCH_MAX;
    while !shutdown.is_triggered() {
        let batch = outbox.take(most, Duration::from_millis(500));
        if batch.reports.is_empty() && batch.waits.is_empty() {
            continue;
        }
        failpoint::reached("agent-before-report");
        match client.reports(&batch) {
            Ok(withdrawn) => {
                failpoint::reached("agent-after-report");
                if outbox.delivered(&batch.reports, &withdrawn) {
                    heard();
                }
                pause = Pause::default();
                most = (most * 2).min(BATCH_MAX);
            }
            Err(ClientError::Status { status: 400 | 413 | 422, text, .. }) => {
                let count = batch.reports.len();
                if count == 0 {
                    tracing::error!(%text, "the server refused why jobs wait");
                } else if count == 1 {
                    let allocation = batch.reports[0].allocation.0;
                    tracing::error!(allocation, %text, "the server refused a report");
                    outbox.delivered(&batch.reports, &[batch.reports[0].allocation]);
                } else {
                    most = count / 2;
                    outbox.put_back(batch);
                }
            }
            Err(error) => {
                tracing::warn!(%error, reports = batch.reports.len(), "reports wait");
                outbox.put_back(batch);
                let _ = shutdown.wait(pause.next());
            }
        }
    }
}

/// Growing pauses between attempts: 0.2 s, doubled up to 10 s.
#[derive(Default)]
pub struct Pause(u32);

impl Pause {
    /// The next pause.
    pub fn next(&mut self) -> Duration {
        let pause = Duration::from_millis(200) * 2u32.pow(self.0.min(6));
        self.0 += 1;
        pause.min(Duration::from_secs(10))
    }
}
