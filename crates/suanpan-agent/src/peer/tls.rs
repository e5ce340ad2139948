//! TLS 1.3 in which both ends accept known certificates and nothing else.

use super::directory::Directory;
use super::identity::{Identity, fingerprint, tls_name};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, DistinguishedName,
    Error, ServerConfig, ServerConnection, SignatureScheme, version,
};
use std::sync::Arc;
use suanpan_model::id::BlobHash;

/// Which certificates an end accepts.
#[derive(Debug)]
enum Accepted {
    /// That of the agent it connects to.
    Only(BlobHash),
    /// Those of all agents that are known.
    Known(Directory),
}

/// Accepts certificates by their hash. That the other end has the certificate's key is proved by
/// the handshake's signature, which is checked as TLS says.
#[derive(Debug)]
struct Pinned {
    accepted: Accepted,
    provider: Arc<CryptoProvider>,
}

impl Pinned {
    fn new(accepted: Accepted) -> Arc<Pinned> {
        Arc::new(Pinned { accepted, provider: provider() })
    }

    fn check(&self, certificate: &CertificateDer<'_>) -> Result<(), Error> {
        let hash = fingerprint(certificate);
        let is_accepted = match &self.accepted {
            Accepted::Only(only) => *only == hash,
            Accepted::Known(directory) => directory.site_of(hash).is_some(),
        };
        match is_accepted {
            true => Ok(()),
            false => {
                Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
            }
        }
    }

    fn signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// TLS 1.2 is not offered, so its signatures never come to be checked.
fn only_tls13() -> Error {
    Error::General("only TLS 1.3 is spoken between agents".into())
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(end_entity).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(only_tls13())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}

impl ClientCertVerifier for Pinned {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check(end_entity).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(only_tls13())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// What connects to the agent with this certificate.
pub(super) fn client(identity: &Identity, other: BlobHash) -> Result<ClientConnection, Error> {
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Pinned::new(Accepted::Only(other)))
        .with_client_auth_cert(vec![identity.certificate()], identity.key())?;
    let name = ServerName::try_from(tls_name()).expect("a name of letters and dots");
    ClientConnection::new(Arc::new(config), name)
}

/// What answers the agents that are known, now and later.
pub(super) fn server(identity: &Identity, known: &Directory) -> Result<Arc<ServerConfig>, Error> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&version::TLS13])?
        .with_client_cert_verifier(Pinned::new(Accepted::Known(known.clone())))
        .with_single_cert(vec![identity.certificate()], identity.key())?;
    // A resumed session would not show its certificate again.
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// What answers one connection.
pub(super) fn accept(config: &Arc<ServerConfig>) -> Result<ServerConnection, Error> {
    ServerConnection::new(Arc::clone(config))
}
