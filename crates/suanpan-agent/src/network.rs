//! An agent's part in the network of sites: it is known, answers the others, and measures.

use crate::config::Shutdown;
use crate::peer::{ChunkSource, Dialer, Directory, Identity, Listener};
use crate::sitefile::PeerSettings;
use anyhow::Context as _;
use std::path::Path;
use std::sync::Arc;
use suanpan_model::site::PeerPoint;

/// An agent's part in the network of sites.
pub(crate) struct Network {
    point: PeerPoint,
    dialer: Dialer,
    listener: Option<Listener>,
}

impl Network {
    /// Finds or makes the agent's identity and takes the address it listens at.
    pub(crate) fn open(
        settings: &PeerSettings,
        state_dir: &Path,
        directory: Directory,
        chunks: Arc<dyn ChunkSource>,
    ) -> anyhow::Result<Network> {
        let identity = Identity::open(state_dir).context("the identity among agents")?;
        let point =
            PeerPoint { address: settings.address.clone(), certificate: identity.fingerprint() };
        let listener = match settings.listen {
            Some(address) => Some(
                Listener::bind(address, &identity, directory.clone(), chunks)
                    .context("the address for other sites (peer.listen in the site file)")?,
            ),
            None => None,
        };
        let dialer = Dialer::new(Arc::new(identity), directory);
        Ok(Network { point, dialer, listener })
    }

    /// How other sites know and reach this one.
    pub(crate) fn point(&self) -> PeerPoint {
        self.point.clone()
    }

    /// Reaches the agents of other sites.
    pub(crate) fn dialer(&self) -> Dialer {
        self.dialer.clone()
    }

    /// Starts its threads; like the agent's others they are not joined.
    pub(crate) fn start(self, shutdown: &Shutdown) -> anyhow::Result<()> {
        if let Some(listener) = self.listener {
            let end = shutdown.clone();
            let run = move || listener.run(&end);
            std::thread::Builder::new().name("peers".into()).spawn(run)?;
        }
        Ok(())
    }
}
