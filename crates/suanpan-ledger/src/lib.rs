//! Double-entry bookkeeping: ledger accounts, and transfers that are pending, then posted or
//! voided. Debits equal credits, always.
//!
//! A transfer moves an amount from one ledger account to another. While it is *pending* the
//! amount is set aside on both; *posting* makes a part of it final (the rest is released),
//! *voiding* releases all of it. The two-phase form follows what card payments and TigerBeetle do.
//!
//! Nothing here decides a price or reads a clock: amounts arrive with the events that hold them.

mod account;

pub use account::{Account, AccountId, Ledger, Transfer, TransferId};

#[cfg(test)]
mod tests;
