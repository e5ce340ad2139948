//! In which order waiting jobs are considered, and who is owed most.
//!
//! [`list_order`] has the classical orders and [`waiting`] a list that is kept in one;
//! [`multifactor`] weighs what is known of one job into its priority, [`priority`] is the policy
//! that does it for a network; [`fair_tree`] ranks users by
//! what they were promised and have used; [`drf`] says which tenant to serve next where several
//! resources are shared; [`usage`] counts what was used and forgets it by half-lives. Fair orders
//! are exact: fractions are compared as fractions ([`ratio`]), never as rounded numbers.

pub mod drf;
pub mod fair_tree;
pub mod list_order;
pub mod multifactor;
pub mod priority;
pub mod ratio;
pub mod usage;
pub mod waiting;
