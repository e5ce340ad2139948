//! An agent's part in the network of sites: it is known, answers the others, and measures.

use crate::client::Client;
use crate::config::{AgentConfig, Shutdown};
use crate::data;
use crate::data::board::Board;
use crate::data::store::Store;
use crate::data::talk::DataOutbox;
use crate::peer::{ChunkSource, Dialer, Directory, Identity, Listener};
use crate::probe::{self, Prober};
use crate::sitefile::PeerSettings;
use anyhow::Context as _;
use std::path::Path;
use std::sync::Arc;
use suanpan_model::site::PeerPoint;
use suanpan_wire::agent_data::DataReports;

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

/// What an agent needs to exchange data with other sites and to measure the links to them.
pub(crate) struct Exchange {
    /// Name of the site.
    pub(crate) site: String,
    /// The control plane.
    pub(crate) client: Arc<Client>,
    /// The chunks and replicas.
    pub(crate) store: Arc<Store>,
    /// What the drivers ask for.
    pub(crate) board: Board,
    /// The agents of other sites, by the latest answer.
    pub(crate) directory: Directory,
    /// The agent's part in the network of sites, if it takes part.
    pub(crate) network: Option<Network>,
}

impl Exchange {
    /// Starts its threads; like the agent's others they are not joined.
    pub(crate) fn start(self, config: &AgentConfig, shutdown: &Shutdown) -> anyhow::Result<()> {
        let Exchange { site, client, store, board, directory, network } = self;
        let outbox = DataOutbox::default();
        let told = outbox.clone();
        let dialer = network.as_ref().map(Network::dialer);
        let prober = Prober::start(probe::Setting {
            site: site.clone(),
            dialer: dialer.clone(),
            client: Arc::new(Client::new(config)?),
            tell: Box::new(move |samples| {
                told.push(DataReports { samples, ..DataReports::default() });
            }),
            shutdown: shutdown.clone(),
        })?;
        let poll_wait_s = config.poll_wait_s;
        let setting = data::Setting {
            site,
            client,
            store,
            board,
            directory,
            dialer,
            outbox,
            prober,
            poll_wait_s,
        };
        data::start(setting, shutdown)?;
        match network {
            Some(network) => network.start(shutdown),
            None => Ok(()),
        }
    }
}
