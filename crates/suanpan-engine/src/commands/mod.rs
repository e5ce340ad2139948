//! One command, one file: its decision, its events, its tests. [`crate::state::State::decide`]
//! only routes.

pub(crate) mod add_site;
pub(crate) mod add_user;
pub(crate) mod approve_site;
pub(crate) mod cancel_job;
pub(crate) mod commit_plan;
pub(crate) mod drain_nodes;
pub(crate) mod end_reservation;
pub(crate) mod hold_job;
pub(crate) mod invite_site;
pub(crate) mod join_site;
pub(crate) mod pass_time;
pub(crate) mod record_contact;
pub(crate) mod record_estimates;
pub(crate) mod record_inventory;
pub(crate) mod record_reports;
pub(crate) mod release_job;
pub(crate) mod requeue_job;
pub(crate) mod reserve_nodes;
pub(crate) mod revoke_site;
pub(crate) mod set_priorities;
pub(crate) mod set_quotas;
pub(crate) mod submit_jobs;
pub(crate) mod undrain_nodes;
pub(crate) mod withdraw_queued;
