//! The repository's own rules, as code.
//!
//! Every rule a reviewer would otherwise have to remember is a function here from the
//! [`repo::Repo`] to a list of [`repo::Finding`]s, and an ordinary test beside it, so that
//! `cargo test --workspace` holds the rules and `cargo xtask tidy` prints them. Start at [`tidy`]
//! for text, [`layers`] for which crate may depend on which, [`walls`] for what keeps the pure
//! crates pure, and [`tiers`] for `cargo xtask test`.
//!
//! The rules read files and run the built binary; only the benches and gates use crates of the
//! product.

pub mod bench;
pub mod binary;
pub mod docs;
pub mod gate;
pub mod generated;
pub mod layers;
pub mod repo;
pub mod runs;
pub mod rust_source;
pub mod soak;
pub mod tidy;
pub mod tiers;
pub mod walls;
