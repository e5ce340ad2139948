//! An agent's own key and certificate.

use crate::local::files::Dir;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::io;
use std::path::Path;
use suanpan_model::id::BlobHash;

/// File with key and certificate, in the state directory; only its owner may read it.
const FILE: &str = "peer.json";

/// An agent's own key and self-signed certificate.
#[derive(Debug)]
pub struct Identity {
    key: PrivatePkcs8KeyDer<'static>,
    certificate: CertificateDer<'static>,
}

/// How it is kept: both in DER form, as bytes.
#[derive(serde::Serialize, serde::Deserialize)]
struct Kept {
    key: Vec<u8>,
    certificate: Vec<u8>,
}

impl Identity {
    /// The identity kept in `state_dir`; made and kept where there is none.
    ///
    /// # Errors
    /// If it cannot be written, or what is there cannot be read.
    pub fn open(state_dir: &Path) -> io::Result<Identity> {
        let dir = Dir(state_dir.to_owned());
        if dir.has(FILE) {
            let text = std::fs::read(dir.file(FILE))?;
            let kept: Kept = serde_json::from_slice(&text).map_err(|error| {
                let path = dir.file(FILE);
                let remedy = "remove it and the agent makes another";
                io::Error::other(format!("{}: {error}; {remedy}", path.display()))
            })?;
            return Ok(Identity::of(kept));
        }
        let kept = make()?;
        dir.write(FILE, &kept)?;
        Ok(Identity::of(kept))
    }

    /// BLAKE3 of the certificate in DER form: what others know it by.
    #[must_use]
    pub fn fingerprint(&self) -> BlobHash {
        fingerprint(&self.certificate)
    }

    pub(super) fn certificate(&self) -> CertificateDer<'static> {
        self.certificate.clone()
    }

    pub(super) fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(self.key.clone_key())
    }

    fn of(kept: Kept) -> Identity {
        Identity { key: kept.key.into(), certificate: kept.certificate.into() }
    }
}

/// BLAKE3 of a certificate in DER form.
pub(super) fn fingerprint(certificate: &CertificateDer<'_>) -> BlobHash {
    BlobHash(*blake3::hash(certificate).as_bytes())
}

/// A key (ECDSA on P-256) and a certificate of it. Its name and dates say nothing: it is known by
/// its hash alone.
fn make() -> io::Result<Kept> {
    let key = rcgen::KeyPair::generate().map_err(io::Error::other)?;
    let parameters =
        rcgen::CertificateParams::new([tls_name().to_owned()]).map_err(io::Error::other)?;
    let certificate = parameters.self_signed(&key).map_err(io::Error::other)?;
    Ok(Kept { key: key.serialize_der(), certificate: certificate.der().to_vec() })
}

/// The name in every agent's certificate, which nobody looks at.
pub(super) fn tls_name() -> &'static str {
    "agent.suanpan.invalid"
}
