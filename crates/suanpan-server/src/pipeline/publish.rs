//! What happens once a batch is durable: only now may anything of it be seen.
//!
//! Orders and the scheduler's changes go first, then the replies: an agent whose report was
//! acknowledged polls orders that reflect it, and a command's answer finds the scheduler informed.
//! Views and the stream of records follow behind; their readers wait for a sequence number.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use fail::fail_point;
use suanpan_engine::event::Event;
use suanpan_engine::sequencer::Record;
use suanpan_model::id::ClusterId;
use suanpan_sched::snapshot::Contact;

use super::Shared;
use super::batch::Batch;

/// Shows durable batches to everyone who waits for them.
pub(crate) struct Publisher {
    shared: Arc<Shared>,
    cluster_names: BTreeMap<ClusterId, String>,
}

impl Publisher {
    pub(crate) fn new(shared: Arc<Shared>) -> Publisher {
        Publisher { shared, cluster_names: BTreeMap::new() }
    }

    /// What is known of a cluster at the start.
    pub(crate) fn meet(&mut self, cluster: ClusterId, name: &str, contact: Contact) {
        self.cluster_names.insert(cluster, name.to_owned());
        self.set_contact(cluster, contact);
    }

    pub(crate) fn publish(&mut self, batch: Batch) {
        let Batch { records, answers, changes, orders, bytes, .. } = batch;
        let last = records.last().map(|record| record.seq);
        if let Some(last) = last {
            self.shared.durable_seq.store(last, Ordering::Release);
            self.shared.metrics.durable_seq.set(last.cast_signed());
        }
        for event in records.iter().flat_map(|record| &record.events) {
            self.note(event);
        }
        if !orders.is_empty() {
            fail_point!("server-before-orders", |_| suanpan_journal::crash_here(
                "server-before-orders"
            ));
            self.shared.hub.publish(orders);
        }
        if !changes.is_empty() {
            self.shared.scheduler.changed(changes);
        }
        fail_point!("server-before-reply", |_| suanpan_journal::crash_here("server-before-reply"));
        for answer in answers {
            answer.deliver();
        }
        fail_point!("server-after-reply", |_| suanpan_journal::crash_here("server-after-reply"));
        if let Some(last) = last {
            self.follow(records, bytes, last);
        }
    }

    /// Feeds those who follow behind.
    fn follow(&self, records: Vec<Arc<Record>>, bytes: usize, last: u64) {
        if self.shared.stream.receiver_count() > 0 {
            for record in &records {
                // Without receivers nothing is to be done; a slow one is told that it missed some.
                let _ = self.shared.stream.send(Arc::clone(record));
            }
        }
        self.shared.view_feed.offer(records, bytes);
        self.shared.checkpointer.durable(last, bytes as u64);
    }

    fn note(&mut self, event: &Event) {
        match event {
            Event::SiteAdded { cluster, name, .. } | Event::SiteInvited { cluster, name, .. } => {
                self.meet(*cluster, name, Contact::Silent);
            }
            Event::SiteRevoked { cluster } => self.set_contact(*cluster, Contact::Silent),
            Event::ContactChanged { cluster, contact } => self.set_contact(*cluster, *contact),
            _ => {}
        }
    }

    fn set_contact(&self, cluster: ClusterId, contact: Contact) {
        self.shared.hub.set_contact(cluster, contact);
        let name = self.cluster_names.get(&cluster).cloned();
        let label = [("cluster", name.unwrap_or_else(|| cluster.to_string()))];
        let reachable = i64::from(contact == Contact::Reachable);
        self.shared.metrics.contact.get_or_create(&label).set(reachable);
    }
}
