//! TLS: a certificate and its key, read at the start and on SIGHUP.
//!
//! **Invariant:** files that cannot be used never replace a certificate in use.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// Error of a certificate file or key file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct TlsError {
    path: PathBuf,
    problem: String,
}

/// The certificate in use, and the files that it is read from. Cheap to clone; every clone is the
/// same certificate.
#[derive(Clone)]
pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    current: Arc<Mutex<Arc<ServerConfig>>>,
}

impl Tls {
    /// Reads two PEM files. Blocking.
    ///
    /// # Errors
    /// A file that cannot be read, holds nothing, or does not belong to the other one.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let config = Arc::new(Mutex::new(read(certificate, key)?));
        Ok(Self { certificate: certificate.into(), key: key.into(), current: config })
    }

    /// Reads the files again, for connections made from now on. Blocking.
    ///
    /// # Errors
    /// Errors of [`Self::load`]; the certificate in use stays.
    pub fn reload(&self) -> Result<(), TlsError> {
        let config = read(&self.certificate, &self.key)?;
        *self.current.lock() = config;
        Ok(())
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.current.lock()))
    }
}

fn read(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error: &dyn std::fmt::Display| TlsError { path, problem: error.to_string() }
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .map_err(|error| failed(certificate)(&error))?;
    if chain.is_empty() {
        return Err(failed(certificate)(&"the file holds no certificate"));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| failed(key)(&error))?;
    // The provider is named, so that no other crate's feature can change it.
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, private))
        .map_err(|error| failed(certificate)(&problem_of(&error, key)))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Text of an error about a certificate and a key that were read.
fn problem_of(error: &rustls::Error, key: &Path) -> String {
    match error {
        rustls::Error::InconsistentKeys(_) => {
            format!("certificate and key do not belong together; the key is {}", key.display())
        }
        error => error.to_string(),
    }
}
