//! TLS for other addresses than loopback: with the operator's certificate, or with one by an
//! authority of this network's own.

use crate::config::Tls;
use anyhow::{Context, Result};
use axum::serve::Listener;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Longest a client may take to shake hands.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);

/// Handshakes finished and not yet taken by the server.
const HANDSHAKES_WAITING: usize = 64;

/// What the server is to its clients: how it is reached, and whom they are to trust for that.
#[derive(Clone, Debug, Default)]
pub struct Identity {
    /// Its address for agents, where it is known.
    pub address: Option<String>,
    /// The authority that agents are to trust instead of their system's.
    pub authority: Option<Authority>,
}

/// An authority's certificate.
#[derive(Clone, Debug)]
pub struct Authority {
    /// Its text.
    pub pem: String,
    /// SHA-256 of its DER form, as join tokens have it.
    pub hash: [u8; 32],
}

const PEM_END: &str = "-----END CERTIFICATE-----";

impl Authority {
    fn new(certificate: &CertificateDer<'_>, pem: String) -> Authority {
        let digest = ring::digest::digest(&ring::digest::SHA256, certificate);
        let hash = digest.as_ref().try_into().expect("SHA-256 has 32 bytes");
        Authority { pem, hash }
    }

    /// The first certificate of a PEM file.
    fn read(path: &Path, setting: &str) -> Result<(Authority, CertificateDer<'static>)> {
        let naming = || format!("{setting}: cannot read a certificate from {}", path.display());
        let pem = std::fs::read_to_string(path).with_context(naming)?;
        let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).with_context(naming)?;
        // Only the first is shown, because only its hash is told.
        let begin = pem.find("-----BEGIN CERTIFICATE-----").unwrap_or_default();
        let end = pem[begin..].find(PEM_END).map_or(pem.len(), |end| begin + end + PEM_END.len());
        Ok((Authority::new(&certificate, format!("{}\n", &pem[begin..end])), certificate))
    }
}

/// What TLS is served with, and what follows for agents that join. The network's own authority is
/// made at the first start.
///
/// # Errors
/// If a file cannot be read or written, or files do not belong together.
pub fn open(tls: &Tls, data_dir: &Path, address: SocketAddr) -> Result<(TlsAcceptor, Identity)> {
    match tls {
        Tls::Files(files) => {
            let chain = CertificateDer::pem_file_iter(&files.cert)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .with_context(|| {
                    let path = files.cert.display();
                    format!("tls.cert: cannot read certificates from {path}")
                })?;
            let path = files.cert.display();
            anyhow::ensure!(!chain.is_empty(), "tls.cert: {path} has no certificate");
            let key = PrivateKeyDer::from_pem_file(&files.key).with_context(|| {
                format!("tls.key: cannot read a private key from {}", files.key.display())
            })?;
            let authority = files.ca.as_deref().map(|path| Authority::read(path, "tls.ca"));
            let authority = authority.transpose()?.map(|(authority, _)| authority);
            Ok((acceptor(chain, key)?, Identity { address: None, authority }))
        }
        Tls::Own(names) => {
            let own = OwnAuthority::open(data_dir)?;
            let (chain, key) = own.certify(names)?;
            let name = names.first().expect("an authority of one's own is for some name");
            // An IPv6 address stands in brackets before a port.
            let host = if name.contains(':') { format!("[{name}]") } else { name.clone() };
            let address = Some(format!("https://{host}:{}", address.port()));
            let identity = Identity { address, authority: Some(own.shown) };
            Ok((acceptor(chain, key)?, identity))
        }
    }
}

fn acceptor(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<TlsAcceptor> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("the TLS library has no protocol version in common with itself")?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .context("tls.cert and tls.key do not belong together")?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// File in the data directory with the certificate of the network's own authority.
pub const CA_FILE: &str = "ca.pem";

/// File in the data directory with its private key, readable by its owner only.
pub const CA_KEY_FILE: &str = "ca.key";

/// This network's own authority. Its certificate has no end: agents hold to it by its hash, and a
/// date would only be a day on which every site falls silent.
struct OwnAuthority {
    key: rcgen::KeyPair,
    shown: Authority,
}

impl OwnAuthority {
    /// Reads it, or makes it where there is none. The key is written first: from a key alone the
    /// certificate is made anew, which is right only because nobody was shown another.
    fn open(data_dir: &Path) -> Result<OwnAuthority> {
        let (pem_path, key_path) = (data_dir.join(CA_FILE), data_dir.join(CA_KEY_FILE));
        let key = if key_path.exists() {
            let text = std::fs::read_to_string(&key_path);
            let text = text.with_context(|| format!("cannot read {}", key_path.display()))?;
            rcgen::KeyPair::from_pem(&text)
                .with_context(|| format!("{} has no private key in it", key_path.display()))?
        } else {
            anyhow::ensure!(
                !pem_path.exists(),
                "{} is there without its key {}: bring the key back, or remove the certificate \
                 and let every site join anew",
                pem_path.display(),
                key_path.display()
            );
            let key = rcgen::KeyPair::generate().context("cannot make a key")?;
            crate::serve::write_secret(&key_path, key.serialize_pem().trim_end())
                .with_context(|| format!("cannot write {}", key_path.display()))?;
            key
        };
        if !pem_path.exists() {
            let made = authority().self_signed(&key).context("cannot make a certificate")?;
            crate::serve::write_secret(&pem_path, made.pem().trim_end())
                .with_context(|| format!("cannot write {}", pem_path.display()))?;
            tracing::info!(path = %pem_path.display(), "made this network's own authority");
        }
        let (shown, certificate) = Authority::read(&pem_path, CA_FILE)?;
        // A certificate holds its public key as it is.
        let public = key.public_key_raw();
        anyhow::ensure!(
            certificate.windows(public.len()).any(|part| part == public),
            "{} is the certificate of another key than {}",
            pem_path.display(),
            key_path.display()
        );
        Ok(OwnAuthority { key, shown })
    }

    /// A certificate for these names, and for this machine's own, with a key that is only kept in
    /// memory.
    fn certify(
        &self,
        names: &[String],
    ) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
        let local = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
        let mut all = names.to_vec();
        all.extend(local.into_iter().filter(|name| !names.contains(name)));
        let mut wanted = rcgen::CertificateParams::new(all).context("tls.names")?;
        wanted.distinguished_name.push(rcgen::DnType::CommonName, "Suanpan");
        wanted.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
        wanted.use_authority_key_identifier_extension = true;
        let key = rcgen::KeyPair::generate().context("cannot make a key")?;
        let issuer = rcgen::Issuer::new(authority(), &self.key);
        let made = wanted.signed_by(&key, &issuer).context("cannot make a certificate")?;
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        Ok((vec![made.der().clone()], PrivateKeyDer::Pkcs8(key)))
    }
}

/// What is said of the authority. Never to be changed: what it signs names it by this.
fn authority() -> rcgen::CertificateParams {
    let mut wanted = rcgen::CertificateParams::default();
    wanted.distinguished_name = rcgen::DistinguishedName::new();
    wanted.distinguished_name.push(rcgen::DnType::CommonName, "Suanpan network authority");
    wanted.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Constrained(0));
    wanted.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign];
    wanted
}

/// Accepts TLS connections. Handshakes run beside each other, so that a slow client holds up
/// nobody.
pub struct TlsListener {
    ready: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
    address: SocketAddr,
    accepting: tokio::task::JoinHandle<()>,
}

impl TlsListener {
    /// Begins to accept on `listener`.
    ///
    /// # Errors
    /// If the listener has no address any more.
    pub fn new(listener: TcpListener, acceptor: TlsAcceptor) -> io::Result<TlsListener> {
        let address = listener.local_addr()?;
        let (sender, ready) = mpsc::channel(HANDSHAKES_WAITING);
        let accepting = tokio::spawn(accept_all(listener, acceptor, sender));
        Ok(TlsListener { ready, address, accepting })
    }
}

impl Drop for TlsListener {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept_all(
    mut listener: TcpListener,
    acceptor: TlsAcceptor,
    sender: mpsc::Sender<(TlsStream<TcpStream>, SocketAddr)>,
) {
    loop {
        let (stream, peer) = Listener::accept(&mut listener).await;
        crate::serve::set_nodelay(&stream);
        let (acceptor, sender) = (acceptor.clone(), sender.clone());
        tokio::spawn(async move {
            match tokio::time::timeout(HANDSHAKE_TIME, acceptor.accept(stream)).await {
                // A closed channel means that the server stops.
                Ok(Ok(stream)) => drop(sender.send((stream, peer)).await),
                Ok(Err(error)) => tracing::debug!(%peer, %error, "TLS handshake failed"),
                Err(_) => tracing::debug!(%peer, "TLS handshake took too long"),
            }
        });
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.ready.recv().await {
            Some(accepted) => accepted,
            // The accepting tokio task ends only when this listener is dropped.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}
