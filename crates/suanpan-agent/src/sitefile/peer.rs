//! How an agent takes part in the network of sites: the table `[peer]`.

use super::{SiteFileError, wrong};
use serde::Deserialize;
use std::net::SocketAddr;

/// How an agent takes part in the network of sites. With neither, it only connects to others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerSettings {
    /// Address and port at which it answers the agents of other sites.
    pub listen: Option<SocketAddr>,
    /// `host:port` at which they reach it.
    pub address: Option<String>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    listen: Option<String>,
    address: Option<String>,
}

pub(super) fn read(written: &Written) -> Result<PeerSettings, SiteFileError> {
    let listen: Option<SocketAddr> = match &written.listen {
        None => None,
        Some(text) => {
            let right = "an IP address and a port, such as 0.0.0.0:7727";
            Some(text.parse().map_err(|_| wrong("peer.listen", text, right))?)
        }
    };
    let address = match (&written.address, listen) {
        (Some(text), None) => {
            let right = "also peer.listen, such as \"0.0.0.0:7727\": nobody would answer there";
            return Err(wrong("peer.address", text, right));
        }
        (Some(text), Some(_)) if !is_host_and_port(text) => {
            let right = "host:port as other sites reach it, such as login.example.org:7727";
            return Err(wrong("peer.address", text, right));
        }
        (Some(text), Some(_)) => Some(text.clone()),
        (None, Some(listen)) if listen.ip().is_unspecified() || listen.port() == 0 => {
            let right = "also peer.address, the host:port at which other sites reach this one";
            return Err(wrong("peer.listen", &listen.to_string(), right));
        }
        (None, listen) => listen.map(|listen| listen.to_string()),
    };
    Ok(PeerSettings { listen, address })
}

fn is_host_and_port(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let bare = match host.strip_prefix('[') {
        Some(inside) => inside.strip_suffix(']').unwrap_or_default(),
        None if host.contains(':') => "",
        None => host,
    };
    !bare.is_empty()
        && bare.bytes().all(|byte| byte.is_ascii_graphic())
        && port.parse::<u16>().is_ok_and(|port| port != 0)
}
