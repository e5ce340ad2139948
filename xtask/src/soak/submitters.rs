//! Clients that submit as a careful client does: with an idempotency key, again and again until
//! an answer comes, over whatever happens to the server.

use super::dice::Dice;
use super::plan::Submission;
use crate::bench::network::Connection;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// Shared by all submitting threads.
pub struct Submitters<'a> {
    address: &'a str,
    token: &'a str,
    list: &'a [Submission],
    next: AtomicUsize,
    /// Tasks numbered below this may be submitted.
    allowed: AtomicUsize,
    /// Tasks numbered from here on will never be submitted.
    end: AtomicUsize,
    acknowledged: AtomicUsize,
    /// Requests that were repeated because no answer, or not the wanted one, came.
    pub retries: AtomicUsize,
    stopped: AtomicBool,
    ids: Mutex<BTreeMap<usize, Vec<u64>>>,
    wrong: Mutex<Option<String>>,
}

impl<'a> Submitters<'a> {
    /// Submits nothing until [`Submitters::allow`].
    #[must_use]
    pub fn new(address: &'a str, token: &'a str, list: &'a [Submission]) -> Submitters<'a> {
        Submitters {
            address,
            token,
            list,
            next: AtomicUsize::new(0),
            allowed: AtomicUsize::new(0),
            end: AtomicUsize::new(usize::MAX),
            acknowledged: AtomicUsize::new(0),
            retries: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
            ids: Mutex::new(BTreeMap::new()),
            wrong: Mutex::new(None),
        }
    }

    /// Lets tasks numbered below `tasks` be submitted.
    pub fn allow(&self, tasks: usize) {
        self.allowed.fetch_max(tasks, Ordering::SeqCst);
    }

    /// Fixes how many tasks there will be: `least`, or what was allowed if that is more, and the
    /// rest of the last request. Lets them all be submitted.
    pub fn close_at(&self, least: usize) -> usize {
        let wanted = least.max(self.allowed.load(Ordering::SeqCst));
        let mut ends = self.list.iter().map(|submission| submission.first + submission.tasks);
        let end = ends.find(|end| *end >= wanted).unwrap_or(wanted);
        self.end.store(end, Ordering::SeqCst);
        self.allow(end);
        end
    }

    /// Ends all threads soon.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
    }

    /// Tasks whose submission was acknowledged.
    #[must_use]
    pub fn acknowledged(&self) -> usize {
        self.acknowledged.load(Ordering::SeqCst)
    }

    /// What a submitter was told that it should not be told.
    #[must_use]
    pub fn wrong(&self) -> Option<String> {
        self.wrong.lock().expect("no thread panics with it").clone()
    }

    /// Ids of the jobs of each submission, by its first task.
    #[must_use]
    pub fn into_ids(self) -> BTreeMap<usize, Vec<u64>> {
        self.ids.into_inner().expect("no thread panics with it")
    }

    /// One thread's work.
    pub fn work(&self, mut dice: Dice) {
        let mut connection = None;
        loop {
            let number = self.next.fetch_add(1, Ordering::SeqCst);
            let Some(submission) = self.list.get(number) else { return };
            if !self.may_begin(submission) {
                return;
            }
            let Some(ids) = self.submit(&mut connection, &mut dice, submission) else { return };
            if dice.below(10) == 0 {
                // A client that lost the answer asks again and is told the same.
                let again = self.submit(&mut connection, &mut dice, submission);
                if again.as_ref().is_some_and(|again| *again != ids) {
                    self.fail(format!("{} was answered {ids:?}, then {again:?}", submission.key));
                }
            }
            let mut all = self.ids.lock().expect("no thread panics with it");
            all.insert(submission.first, ids);
            self.acknowledged.fetch_add(submission.tasks, Ordering::SeqCst);
        }
    }

    /// Waits until the request may be made; false if it never will be.
    fn may_begin(&self, submission: &Submission) -> bool {
        while !self.stopped.load(Ordering::SeqCst) {
            // The end is fixed before more than it is allowed: it is read after what is allowed.
            let is_allowed =
                self.allowed.load(Ordering::SeqCst) >= submission.first + submission.tasks;
            if submission.first >= self.end.load(Ordering::SeqCst) {
                return false;
            }
            if is_allowed {
                return true;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    }

    fn submit(
        &self,
        connection: &mut Option<Connection>,
        dice: &mut Dice,
        submission: &Submission,
    ) -> Option<Vec<u64>> {
        while !self.stopped.load(Ordering::SeqCst) {
            match self.ask(connection, submission) {
                Some((201, body)) => return self.ids_in(submission, &body),
                Some((status, body)) if status < 500 => {
                    let body = String::from_utf8_lossy(&body).into_owned();
                    self.fail(format!("{} was answered {status}: {body}", submission.key));
                    return None;
                }
                _ => *connection = None,
            }
            self.retries.fetch_add(1, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(20 + dice.below(80) as u64));
        }
        None
    }

    /// Status and body, unless the connection broke.
    fn ask(
        &self,
        connection: &mut Option<Connection>,
        submission: &Submission,
    ) -> Option<(u16, Vec<u8>)> {
        if connection.is_none() {
            *connection = Connection::open(self.address, self.token).ok();
        }
        let open = connection.as_mut()?;
        let request = open.post_bytes(submission.path, &submission.key, &submission.body);
        open.send(&request).ok()
    }

    fn ids_in(&self, submission: &Submission, body: &[u8]) -> Option<Vec<u64>> {
        let answer: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
        let jobs = answer["jobs"].as_array().cloned().unwrap_or_default();
        let ids: Vec<u64> = jobs.iter().filter_map(|job| job["id"].as_u64()).collect();
        if ids.len() != submission.jobs {
            self.fail(format!("{} was answered {answer}", submission.key));
            return None;
        }
        Some(ids)
    }

    fn fail(&self, what: String) {
        self.wrong.lock().expect("no thread panics with it").get_or_insert(what);
        self.stop();
    }
}
