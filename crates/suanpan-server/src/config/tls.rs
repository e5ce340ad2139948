//! What the settings say of TLS.

use super::{ConfigError, Reader};
use rustls::pki_types::ServerName;
use std::net::SocketAddr;
use std::path::PathBuf;

/// How the API is served by TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tls {
    /// With the operator's certificate.
    Files(TlsFiles),
    /// With one by this network's own authority, for these names and addresses.
    Own(Vec<String>),
}

/// Where the operator's certificate is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// Certificate chain, PEM.
    pub cert: PathBuf,
    /// Private key, PEM.
    pub key: PathBuf,
    /// Certificate of the authority that agents are to trust, PEM; the system's if absent.
    pub ca: Option<PathBuf>,
}

impl Reader {
    /// Refuses what would leave a part of it unused, and clear text on a network.
    pub(super) fn tls(&self, listen: SocketAddr) -> Result<Option<Tls>, ConfigError> {
        let ca = self.path("tls.ca");
        let names = self.names()?;
        match (self.path("tls.cert"), self.path("tls.key")) {
            (Some(_), Some(_)) if !names.is_empty() => {
                Err(self.wrong("tls.names", "give either tls.names or tls.cert and tls.key"))
            }
            (Some(cert), Some(key)) => Ok(Some(Tls::Files(TlsFiles { cert, key, ca }))),
            (Some(_), None) => Err(self.wrong("tls.cert", "also give tls.key, its private key")),
            (None, Some(_)) => Err(self.wrong("tls.key", "also give tls.cert, its certificate")),
            (None, None) if ca.is_some() => {
                Err(self.wrong("tls.ca", "also give tls.cert, a certificate by this authority"))
            }
            (None, None) if !names.is_empty() => Ok(Some(Tls::Own(names))),
            (None, None) if listen.ip().is_loopback() => Ok(None),
            (None, None) => Err(self.wrong(
                "listen",
                "other machines can reach this address, and tokens would cross the network in \
                 the clear: give tls.names, or tls.cert and tls.key, or listen on 127.0.0.1",
            )),
        }
    }

    fn names(&self) -> Result<Vec<String>, ConfigError> {
        let text = &self.given("tls.names").text;
        let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        names
            .map(|name| match ServerName::try_from(name) {
                Ok(_) => Ok(name.to_owned()),
                Err(_) => {
                    Err(self.wrong("tls.names", "write names or IP addresses, commas between"))
                }
            })
            .collect()
    }
}
