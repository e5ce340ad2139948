//! Bytes that may be moved to measure.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

/// Length of one entry of the account.
const SLOT: Duration = Duration::from_secs(60);

/// What any hour's spending is counted over: sixty slots, and the one that is not over.
const SLOTS: usize = 61;

/// Bytes that may be moved to measure in any hour. Times count from the agent's start.
#[derive(Debug, Default)]
pub(crate) struct Budget(Mutex<Account>);

#[derive(Debug, Default)]
struct Account {
    per_hour: u64,
    /// Bytes by number of the slot, oldest first.
    spent: VecDeque<(u64, u64)>,
}

impl Budget {
    /// Sets how many bytes an hour may have.
    pub(crate) fn set(&self, per_hour: u64) {
        self.account().per_hour = per_hour;
    }

    /// How many bytes an hour may have.
    pub(crate) fn per_hour(&self) -> u64 {
        self.account().per_hour
    }

    /// Takes so many bytes, if the last hour left them.
    pub(crate) fn take(&self, now: Duration, bytes: u64) -> bool {
        let mut account = self.account();
        let slot = now.as_secs() / SLOT.as_secs();
        while account.spent.front().is_some_and(|(at, _)| at + SLOTS as u64 <= slot) {
            account.spent.pop_front();
        }
        let spent: u64 = account.spent.iter().map(|(_, bytes)| bytes).sum();
        if spent.saturating_add(bytes) > account.per_hour {
            return false;
        }
        match account.spent.back_mut() {
            Some((at, sum)) if *at == slot => *sum += bytes,
            _ => account.spent.push_back((slot, bytes)),
        }
        true
    }

    /// Gives back what was taken a moment ago and not needed.
    pub(crate) fn give_back(&self, bytes: u64) {
        if let Some((_, sum)) = self.account().spent.back_mut() {
            *sum = sum.saturating_sub(bytes);
        }
    }

    fn account(&self) -> std::sync::MutexGuard<'_, Account> {
        self.0.lock().expect("no holder of this lock panics")
    }
}

/// How often something of `bytes` may be done for each of `links`, if all of it together may use
/// one part in `share` of the budget; `least` if the budget does not matter.
pub(crate) fn period(
    least: Duration,
    bytes: u64,
    links: usize,
    per_hour: u64,
    share: u64,
) -> Duration {
    let in_an_hour = bytes.saturating_mul(links.max(1) as u64).saturating_mul(3600);
    least.max(Duration::from_secs(in_an_hour / (per_hour / share).max(1)))
}
