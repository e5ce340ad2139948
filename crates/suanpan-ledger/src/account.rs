//! Ledger accounts and the transfers between them.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use suanpan_model::money::MicroCredits;

/// Names a ledger account: who it belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountId {
    /// A project's purse.
    Project(String),
    /// What a cluster has earned.
    Cluster(String),
}

/// A transfer's number; never reused.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct TransferId(pub u64);

/// Sums of one ledger account, all of them non-negative micro-credits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Set aside by pending transfers out of this account.
    pub debits_pending: i64,
    /// Paid.
    pub debits_posted: i64,
    /// Set aside by pending transfers into this account.
    pub credits_pending: i64,
    /// Received.
    pub credits_posted: i64,
}

impl Account {
    /// Received less paid.
    #[must_use]
    pub fn balance(&self) -> MicroCredits {
        MicroCredits(self.credits_posted - self.debits_posted)
    }
}

/// A pending transfer. Posted and voided ones live on only in the accounts' sums and the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// Who pays.
    pub debit: AccountId,
    /// Who receives.
    pub credit: AccountId,
    /// Most that may be posted.
    pub amount: MicroCredits,
}

/// All ledger accounts and pending transfers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    #[serde(with = "pairs")]
    accounts: BTreeMap<AccountId, Account>,
    #[serde(with = "pairs")]
    pending: BTreeMap<TransferId, Transfer>,
}

impl Ledger {
    /// Sets an amount aside.
    ///
    /// # Panics
    /// If the id was used before or the amount is negative: both are bugs of the caller.
    pub fn begin(&mut self, id: TransferId, transfer: Transfer) {
        assert!(transfer.amount.0 >= 0, "a transfer's amount is never negative");
        let amount = transfer.amount.0;
        self.account_mut(&transfer.debit).debits_pending += amount;
        self.account_mut(&transfer.credit).credits_pending += amount;
        let before = self.pending.insert(id, transfer);
        assert!(before.is_none(), "a transfer id is used once");
    }

    /// Makes `amount` of a pending transfer final and releases the rest.
    ///
    /// # Panics
    /// If the transfer is not pending or `amount` is outside 0 to the amount set aside.
    pub fn post(&mut self, id: TransferId, amount: MicroCredits) {
        let transfer = self.release(id);
        assert!(
            (0..=transfer.amount.0).contains(&amount.0),
            "no more is posted than was set aside"
        );
        self.account_mut(&transfer.debit).debits_posted += amount.0;
        self.account_mut(&transfer.credit).credits_posted += amount.0;
    }

    /// Releases a pending transfer.
    ///
    /// # Panics
    /// If the transfer is not pending.
    pub fn void(&mut self, id: TransferId) {
        self.release(id);
    }

    /// A ledger account's sums; zeros for one never used.
    #[must_use]
    pub fn account(&self, id: &AccountId) -> Account {
        self.accounts.get(id).copied().unwrap_or_default()
    }

    /// All ledger accounts with their sums.
    pub fn accounts(&self) -> impl Iterator<Item = (&AccountId, &Account)> {
        self.accounts.iter()
    }

    /// A transfer that is still pending.
    #[must_use]
    pub fn pending(&self, id: TransferId) -> Option<&Transfer> {
        self.pending.get(&id)
    }

    /// Number of pending transfers.
    #[must_use]
    pub fn pending_count(&self) -> usize {
        self.pending.len()
    }

    /// Recomputes every sum that can be recomputed.
    ///
    /// # Panics
    /// With the broken invariant in words.
    pub fn check(&self) {
        let mut expected: BTreeMap<&AccountId, (i64, i64)> = BTreeMap::new();
        for transfer in self.pending.values() {
            expected.entry(&transfer.debit).or_default().0 += transfer.amount.0;
            expected.entry(&transfer.credit).or_default().1 += transfer.amount.0;
        }
        let (mut debits, mut credits) = (0i64, 0i64);
        for (id, account) in &self.accounts {
            let (debit, credit) = expected.get(id).copied().unwrap_or_default();
            assert_eq!(account.debits_pending, debit, "pending debits of {id:?} add up");
            assert_eq!(account.credits_pending, credit, "pending credits of {id:?} add up");
            debits += account.debits_posted;
            credits += account.credits_posted;
        }
        assert_eq!(debits, credits, "posted debits equal posted credits");
    }

    fn release(&mut self, id: TransferId) -> Transfer {
        let transfer = self.pending.remove(&id).expect("a transfer ends once, and was pending");
        self.account_mut(&transfer.debit).debits_pending -= transfer.amount.0;
        self.account_mut(&transfer.credit).credits_pending -= transfer.amount.0;
        transfer
    }

    fn account_mut(&mut self, id: &AccountId) -> &mut Account {
        if !self.accounts.contains_key(id) {
            self.accounts.insert(id.clone(), Account::default());
        }
        self.accounts.get_mut(id).expect("the account was just made")
    }
}

/// Maps as lists of pairs, since JSON object keys can only be strings.
mod pairs {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::collections::BTreeMap;

    pub(super) fn serialize<K: Serialize, V: Serialize, S: Serializer>(
        map: &BTreeMap<K, V>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map)
    }

    pub(super) fn deserialize<'de, K, V, D>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
    where
        K: Deserialize<'de> + Ord,
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        Ok(Vec::<(K, V)>::deserialize(deserializer)?.into_iter().collect())
    }
}
