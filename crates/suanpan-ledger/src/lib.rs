//! suanpan-ledger
