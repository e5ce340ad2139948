//! What an agent and the control plane tell each other about data and links.

use super::keeper::Keeper;
use crate::client::{Client, ClientError};
use crate::config::Shutdown;
use crate::peer::Directory;
use crate::probe::Prober;
use crate::reporter::Pause;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;
use suanpan_wire::agent_data::DataReports;

/// Samples that wait at most; the oldest go first, because newer ones say more.
const SAMPLES_MAX: usize = 1_000;

/// Transfers that wait at most to be told.
const TRANSFERS_MAX: usize = 1_000;

/// What waits to be told. Cheap to clone.
#[derive(Clone, Default)]
pub struct DataOutbox(Arc<(Mutex<DataReports>, Condvar)>);

impl DataOutbox {
    /// Takes something to be told.
    pub fn push(&self, more: DataReports) {
        let mut waiting = self.0.0.lock().expect("no holder of this lock panics");
        append(&mut waiting, more);
        self.0.1.notify_one();
    }

    fn take(&self, timeout: Duration) -> DataReports {
        let waiting = self.0.0.lock().expect("no holder of this lock panics");
        let nothing = |waiting: &mut DataReports| *waiting == DataReports::default();
        let waited = self.0.1.wait_timeout_while(waiting, timeout, nothing);
        std::mem::take(&mut *waited.expect("no holder of this lock panics").0)
    }

    /// Puts back what could not be told, before what came since.
    fn put_back(&self, mut before: DataReports) {
        let mut waiting = self.0.0.lock().expect("no holder of this lock panics");
        append(&mut before, std::mem::take(&mut *waiting));
        *waiting = before;
    }

    /// Tells until the agent ends; what fails is told again.
    pub fn send(&self, client: &Client, shutdown: &Shutdown) {
        let mut pause = Pause::default();
        while !shutdown.is_triggered() {
            let reports = self.take(Duration::from_millis(500));
            if reports == DataReports::default() {
                continue;
            }
            match client.data_reports(&reports) {
                Ok(()) => pause = Pause::default(),
                Err(ClientError::Status { status: 400 | 413 | 422, text, .. }) => {
                    // Told again it would be refused again; replicas are told anew in any case.
                    tracing::error!(%text, "the server refused a report about data");
                }
                Err(error) => {
                    tracing::warn!(%error, "reports about data wait");
                    self.put_back(reports);
                    let _ = shutdown.wait(pause.next());
                }
            }
        }
    }
}

/// Adds what is newer; of a replica only the latest counts.
fn append(to: &mut DataReports, more: DataReports) {
    for replica in more.replicas {
        to.replicas.retain(|before| before.manifest != replica.manifest);
        to.replicas.push(replica);
    }
    to.stored_bytes = more.stored_bytes.or(to.stored_bytes);
    to.transfers.extend(more.transfers);
    to.samples.extend(more.samples);
    let surplus = to.transfers.len().saturating_sub(TRANSFERS_MAX);
    to.transfers.drain(..surplus);
    let surplus = to.samples.len().saturating_sub(SAMPLES_MAX);
    to.samples.drain(..surplus);
}

/// Asks what the site should hold, until the agent ends.
pub(crate) fn poll(
    client: &Client,
    (keeper, prober): (&Keeper, &Prober),
    directory: &Directory,
    shutdown: &Shutdown,
    wait_s: u32,
) {
    let mut pause = Pause::default();
    let (mut since, mut was_away) = (0, false);
    while !shutdown.is_triggered() {
        match client.data(since, wait_s) {
            Ok(answer) => {
                pause = Pause::default();
                if std::mem::take(&mut was_away) {
                    // Another server, or the same from a backup: it may not know what was told.
                    keeper.tell_again();
                }
                let is_same = answer.version == since;
                since = answer.version;
                if !is_same {
                    directory.replace(answer.peers.clone());
                    prober.heed(&answer);
                    keeper.take(answer);
                }
            }
            Err(ClientError::Status { status: 404, .. }) => {
                tracing::debug!("this control plane keeps no data");
                let _ = shutdown.wait(Duration::from_secs(10));
            }
            Err(error) => {
                was_away = true;
                tracing::warn!(%error, "no answer to the poll for data");
                let _ = shutdown.wait(pause.next());
            }
        }
    }
}
