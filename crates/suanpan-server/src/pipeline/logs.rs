//! Parts of jobs' output files, asked of the agents that have them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use suanpan_model::id::{AllocationId, ClusterId};
use suanpan_wire::agent::{LogChunk, LogRequest, LogStream};
use tokio::sync::oneshot;

use super::orders::OrderHub;

/// Questions that may wait at the same time, so that readers of a silent site cannot fill memory.
const WAITING_MAX: usize = 1_000;

/// Puts questions about output files to agents and brings their answers back.
pub struct LogBroker {
    hub: Arc<OrderHub>,
    next: AtomicU64,
    waiting: Mutex<BTreeMap<u64, (ClusterId, oneshot::Sender<LogChunk>)>>,
}

/// Which part of an output file is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogPart {
    /// Which attempt.
    pub allocation: AllocationId,
    /// Which of its files.
    pub stream: LogStream,
    /// First byte; negative counts from the end.
    pub offset: i64,
    /// Most bytes.
    pub length: u32,
}

/// Why no part of a file came.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogFailure {
    /// The agent did not answer in time.
    #[error("the agent of the cluster did not answer within {} s", .0.as_secs_f32())]
    NoAnswer(Duration),
    /// Too many readers wait already.
    #[error("{WAITING_MAX} readers of output files wait already; try again in a second")]
    TooMany,
    /// The agent could not read the file.
    #[error("the site could not read the file: {0}")]
    Site(String),
}

impl LogBroker {
    pub(crate) fn new(hub: Arc<OrderHub>, first_request: u64) -> LogBroker {
        LogBroker { hub, next: AtomicU64::new(first_request), waiting: Mutex::default() }
    }

    /// Asks the agent of `cluster` for part of an output file.
    ///
    /// # Errors
    /// Where the agent does not answer within `timeout` or cannot read the file, and where too
    /// many readers wait already.
    pub async fn read(
        &self,
        cluster: ClusterId,
        part: LogPart,
        timeout: Duration,
    ) -> Result<LogChunk, LogFailure> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let LogPart { allocation, stream, offset, length } = part;
        let request = LogRequest { request: number, allocation, stream, offset, length };
        let (sender, answer) = oneshot::channel();
        {
            let mut waiting = self.waiting();
            if waiting.len() >= WAITING_MAX {
                return Err(LogFailure::TooMany);
            }
            waiting.insert(number, (cluster, sender));
        }
        // Also when this future is dropped because its reader went away.
        let _forget = Forget { broker: self, cluster, number };
        self.hub.put_question(cluster, request);
        match tokio::time::timeout(timeout, answer).await {
            Ok(Ok(LogChunk { error: Some(why), .. })) => Err(LogFailure::Site(why)),
            Ok(Ok(chunk)) => Ok(chunk),
            _ => Err(LogFailure::NoAnswer(timeout)),
        }
    }

    /// Takes an agent's answer. One that nobody waits for (any more), or from another cluster than
    /// was asked, is dropped.
    pub fn answer(&self, cluster: ClusterId, chunk: LogChunk) {
        let mut waiting = self.waiting();
        let asked = waiting.get(&chunk.request).map(|(asked, _)| *asked);
        if asked != Some(cluster) {
            return;
        }
        if let Some((_, reader)) = waiting.remove(&chunk.request) {
            let _ = reader.send(chunk);
        }
    }

    fn waiting(
        &self,
    ) -> std::sync::MutexGuard<'_, BTreeMap<u64, (ClusterId, oneshot::Sender<LogChunk>)>> {
        self.waiting.lock().expect("no thread panics while it holds the lock")
    }
}

struct Forget<'a> {
    broker: &'a LogBroker,
    cluster: ClusterId,
    number: u64,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.broker.waiting().remove(&self.number);
        self.broker.hub.withdraw_question(self.cluster, self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn part() -> LogPart {
        LogPart { allocation: AllocationId(7), stream: LogStream::Stdout, offset: -10, length: 10 }
    }

    fn chunk(request: u64) -> LogChunk {
        LogChunk { request, offset: 5, size: 15, text: "0123456789".into(), error: None }
    }

    #[tokio::test]
    async fn a_question_rides_on_the_poll_and_only_its_cluster_may_answer() {
        let hub = Arc::new(OrderHub::new(100, Duration::from_secs(10), None));
        let broker = Arc::new(LogBroker::new(Arc::clone(&hub), 1));
        let reader = tokio::spawn({
            let broker = Arc::clone(&broker);
            async move { broker.read(ClusterId(1), part(), Duration::from_secs(5)).await }
        });
        let answer = hub.poll(ClusterId(1), 100, Duration::from_secs(5)).await;
        let [request] = answer.log_requests.as_slice() else { panic!("one question: {answer:?}") };
        assert_eq!((request.allocation, request.offset), (AllocationId(7), -10));
        broker.answer(ClusterId(2), LogChunk { text: "forged".into(), ..chunk(request.request) });
        broker.answer(ClusterId(1), chunk(request.request));
        let read = reader.await.expect("the reader does not panic").expect("it is answered");
        assert_eq!(read.text, "0123456789");
        let again = hub.poll(ClusterId(1), 100, Duration::ZERO).await;
        assert!(again.log_requests.is_empty(), "an answered question is not put again");
    }

    #[tokio::test]
    async fn a_silent_agent_is_reported_and_its_question_forgotten() {
        let hub = Arc::new(OrderHub::new(100, Duration::from_secs(10), None));
        let broker = LogBroker::new(Arc::clone(&hub), 1);
        let failure = broker.read(ClusterId(1), part(), Duration::from_millis(20)).await;
        assert!(matches!(failure, Err(LogFailure::NoAnswer(_))));
        assert!(hub.poll(ClusterId(1), 100, Duration::ZERO).await.log_requests.is_empty());
    }
}
