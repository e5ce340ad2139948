//! Measuring the links to and from the control plane.

use super::{Client, ClientError, check, read};
use crate::peer::Flow;
use std::io::Read as _;
use std::time::{Duration, Instant};
use suanpan_wire::agent_data::ProbeSeen;

impl Client {
    /// Has the control plane send `bytes` and tells `arrived` of each part: bytes until then, and
    /// when. `arrived` says whether to go on.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn probe(
        &self,
        bytes: u64,
        timeout: Duration,
        mut arrived: impl FnMut(u64, Instant) -> Flow,
    ) -> Result<(), ClientError> {
        let mut response = self.get(&format!("/v1/agent/probe?bytes={bytes}"), timeout)?;
        let mut reader = response.body_mut().with_config().limit(bytes + 1).reader();
        let mut part = vec![0; 64 << 10];
        let mut so_far = 0;
        loop {
            let read = reader
                .read(&mut part)
                .map_err(|error| ClientError::Unreachable(error.to_string()))?;
            so_far += read as u64;
            if read == 0 || arrived(so_far, Instant::now()) == Flow::Enough {
                return Ok(());
            }
        }
    }

    /// Sends `bytes` to the control plane, which says how fast they came.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn probe_up(&self, bytes: u64, timeout: Duration) -> Result<ProbeSeen, ClientError> {
        let mut noise = vec![0; usize::try_from(bytes).unwrap_or(usize::MAX)];
        blake3::Hasher::new().finalize_xof().fill(&mut noise);
        let mut request = self.agent.post(format!("{}/v1/agent/probe", self.server));
        for (name, value) in self.headers() {
            request = request.header(name, value);
        }
        let request = request.header("content-type", "application/octet-stream");
        read(check(request.config().timeout_global(Some(timeout)).build().send(&noise[..]))?)
    }
}
