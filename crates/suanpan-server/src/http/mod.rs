//! The HTTP API: reads requests strictly, passes commands through the control plane's one door,
//! and shows what the views have. It decides nothing.
//!
//! [`router::build`] lists every route; [`openapi::document`] describes them. Every answer of
//! status 400 and above is a [`problem`].

pub mod auth;
pub mod openapi;
pub mod problem;
pub mod router;
pub mod tls;

mod accuracy;
mod agent;
mod agent_data;
mod closures;
mod convert;
mod datasets;
mod events;
mod explain;
mod firehose;
mod guard;
mod jobs;
mod json_error;
mod logs;
mod membership;
mod network;
mod ops;
mod params;
mod plan;
mod priorities;
mod quotas;
mod rows;
mod sites;
mod sse;
mod submit;
mod why;

#[cfg(test)]
mod tests;

use crate::config::Limits;
use crate::data::DataHub;
use crate::pipeline::ControlPlane;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::watch;

/// What handlers share.
pub struct App {
    plane: ControlPlane,
    data_dir: PathBuf,
    data: DataHub,
    tokens: auth::Tokens,
    identity: tls::Identity,
    limits: Limits,
    guard: guard::Guard,
    stopping: watch::Receiver<Phase>,
    nonce: u64,
    requests_without_key: AtomicU64,
}

/// Whether the server goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It serves.
    Serving,
    /// It takes no new connections; streams end, long polls answer.
    Stopping,
}

impl App {
    /// Shares a control plane and its place for data among handlers. `nonce` is random, so that
    /// requests without a key of their own never meet those of another start.
    #[must_use]
    pub fn new(
        plane: ControlPlane,
        (data_dir, data): (PathBuf, DataHub),
        tokens: auth::Tokens,
        identity: tls::Identity,
        limits: Limits,
        stopping: watch::Receiver<Phase>,
        nonce: u64,
    ) -> App {
        let guard = guard::Guard::new(&limits, nonce as u32);
        let requests_without_key = AtomicU64::new(0);
        App {
            plane,
            data_dir,
            data,
            tokens,
            identity,
            limits,
            guard,
            stopping,
            nonce,
            requests_without_key,
        }
    }

    /// Reads the object store and keeps it clean, and has the scheduler know the limits of links,
    /// for as long as the server runs.
    pub async fn keep_data(&self) {
        tokio::join!(self.data.run(&self.plane), self.data.follow_limits(&self.plane));
    }

    /// An idempotency key for a request that has none: it is its own.
    fn own_key(&self) -> u128 {
        let count = self.requests_without_key.fetch_add(1, Ordering::Relaxed);
        (u128::from(self.nonce) << 64) | u128::from(count)
    }

    /// Resolves once the server stops.
    async fn stopped(&self) {
        let mut stopping = self.stopping.clone();
        // An error means that the sender is gone, and with it the server.
        let _ = stopping.wait_for(|phase| *phase == Phase::Stopping).await;
    }
}
