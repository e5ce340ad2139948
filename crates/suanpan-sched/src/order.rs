//! Which job is considered first, and who is owed most.
//!
//! [`multifactor`] weighs what is known of one job into its priority; [`fair_tree`] ranks users by
//! what they were promised and have used; [`drf`] says which tenant to serve next where several
//! resources are shared; [`usage`] counts what was used and forgets it by half-lives. All of them
//! are exact: fractions are compared as fractions ([`ratio`]), never as rounded numbers.

pub mod drf;
pub mod fair_tree;
pub mod multifactor;
pub mod ratio;
pub mod usage;
