//! The ledger against an independent auditor that keeps only a list of what was done.

use super::*;
use proptest::prelude::*;
use suanpan_model::money::MicroCredits;

fn project(n: u8) -> AccountId {
    AccountId::Project(format!("p{n}"))
}

fn cluster(n: u8) -> AccountId {
    AccountId::Cluster(format!("c{n}"))
}

#[test]
fn posting_less_than_set_aside_releases_the_rest() {
    let mut ledger = Ledger::default();
    let transfer = Transfer { debit: project(1), credit: cluster(1), amount: MicroCredits(1_000) };
    ledger.begin(TransferId(1), transfer);
    assert_eq!(ledger.account(&project(1)).debits_pending, 1_000);
    ledger.post(TransferId(1), MicroCredits(300));
    assert_eq!(ledger.account(&project(1)).balance(), MicroCredits(-300));
    assert_eq!(ledger.account(&cluster(1)).balance(), MicroCredits(300));
    assert_eq!(ledger.account(&project(1)).debits_pending, 0);
    ledger.check();
}

#[test]
#[should_panic(expected = "no more is posted than was set aside")]
fn posting_more_than_set_aside_is_a_bug() {
    let mut ledger = Ledger::default();
    let transfer = Transfer { debit: project(1), credit: cluster(1), amount: MicroCredits(1) };
    ledger.begin(TransferId(1), transfer);
    ledger.post(TransferId(1), MicroCredits(2));
}

proptest! {
    /// Any sequence of begins, posts and voids keeps the books equal to the auditor's.
    #[test]
    fn books_balance(steps in prop::collection::vec((0u8..4, 0u8..3, 0i64..1_000, 0u8..3), 1..200)) {
        let mut ledger = Ledger::default();
        let mut open: Vec<(u64, u8, i64)> = Vec::new();
        let mut paid = [0i64; 4];
        for (number, (from, to, amount, what)) in steps.into_iter().enumerate() {
            let id = number as u64;
            if what == 0 || open.is_empty() {
                let transfer = Transfer {
                    debit: project(from), credit: cluster(to), amount: MicroCredits(amount),
                };
                ledger.begin(TransferId(id), transfer);
                open.push((id, from, amount));
            } else {
                let (id, from, amount) = open.swap_remove(number % open.len());
                if what == 1 {
                    ledger.post(TransferId(id), MicroCredits(amount / 2));
                    paid[usize::from(from)] += amount / 2;
                } else {
                    ledger.void(TransferId(id));
                }
            }
            ledger.check();
        }
        for (n, sum) in paid.iter().enumerate() {
            prop_assert_eq!(ledger.account(&project(n as u8)).debits_posted, *sum);
        }
        prop_assert_eq!(ledger.pending_count(), open.len());
    }
}
