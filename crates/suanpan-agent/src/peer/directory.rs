//! Which agents of other sites there are, by the control plane's latest answer.

use std::sync::{Arc, RwLock};
use suanpan_model::id::BlobHash;
use suanpan_model::site::PeerPoint;
use suanpan_wire::agent_data::Peer;

/// Which agents of other sites there are, by the control plane's latest answer. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Directory(Arc<RwLock<Arc<Vec<Peer>>>>);

impl Directory {
    /// Takes over a newer answer.
    pub fn replace(&self, peers: Vec<Peer>) {
        *self.0.write().expect("no holder of this lock panics") = Arc::new(peers);
    }

    /// Every agent that is known.
    #[must_use]
    pub fn peers(&self) -> Arc<Vec<Peer>> {
        Arc::clone(&self.0.read().expect("no holder of this lock panics"))
    }

    /// How a site's agent is known and reached.
    #[must_use]
    pub fn point(&self, site: &str) -> Option<PeerPoint> {
        self.peers().iter().find(|peer| peer.site == site).map(|peer| peer.point.clone())
    }

    /// The site whose agent has this certificate.
    #[must_use]
    pub fn site_of(&self, certificate: BlobHash) -> Option<String> {
        let peers = self.peers();
        let known = peers.iter().find(|peer| peer.point.certificate == certificate);
        known.map(|peer| peer.site.clone())
    }
}
