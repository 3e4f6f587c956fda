//! TLS to the servers. An address says whether a connection is encrypted, and by which certificate
//! authorities the server's certificate is verified; its name always is. There is nothing between
//! plaintext and a verified connection: a certificate that nobody verifies protects from nobody who
//! can answer in the server's place.

use std::path::Path;
use std::sync::Arc;

use percent_encoding::percent_decode_str;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// Makes aws-lc-rs what the libraries use that do not say which they want. Another provider that
/// the process has chosen before stays.
pub fn install_provider() {
    let _chosen_before = aws_lc_rs::default_provider().install_default();
}

/// Verifies servers by the certificate authorities of a PEM file, or the system's without one.
///
/// # Errors
/// A file that cannot be read or has no certificate in it; a system without certificates.
pub fn client_config(ca_file: Option<&Path>) -> Result<ClientConfig, String> {
    trusting(authorities(ca_file)?)
}

/// Trusts nobody: for what must name a configuration though its connections are not encrypted.
///
/// # Errors
/// The library's.
pub fn untrusting() -> Result<ClientConfig, String> {
    trusting(RootCertStore::empty())
}

fn trusting(store: RootCertStore) -> Result<ClientConfig, String> {
    let provider: Arc<CryptoProvider> = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(builder.with_root_certificates(store).with_no_client_auth())
}

fn authorities(ca_file: Option<&Path>) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    let Some(file) = ca_file else {
        let (count, _) =
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        return if count > 0 {
            Ok(store)
        } else {
            Err("the system has no certificates".to_owned())
        };
    };
    let said = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let read = CertificateDer::pem_file_iter(file).map_err(|error| said(&error))?;
    for certificate in read {
        let certificate = certificate.map_err(|error| said(&error))?;
        store.add(certificate).map_err(|error| said(&error))?;
    }
    if store.is_empty() {
        return Err(said(&"no certificate"));
    }
    Ok(store)
}

/// Takes a parameter out of an address: what is left, and the parameter's value.
pub fn take_parameter(url: &str, name: &str) -> (String, Option<String>) {
    let Some((address, query)) = url.split_once('?') else { return (url.to_owned(), None) };
    let (mut kept, mut value) = (Vec::new(), None);
    for pair in query.split('&') {
        match pair.split_once('=') {
            Some((key, given)) if key == name => {
                value = Some(percent_decode_str(given).decode_utf8_lossy().into_owned());
            }
            _ => kept.push(pair),
        }
    }
    let left =
        if kept.is_empty() { address.to_owned() } else { format!("{address}?{}", kept.join("&")) };
    (left, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_taken_and_the_others_stay() {
        let url = "postgres://a:b@h:1,i:2/db?application_name=x&sslrootcert=%2Fetc%2Fca.crt&a=b";
        let (left, file) = take_parameter(url, "sslrootcert");
        assert_eq!(left, "postgres://a:b@h:1,i:2/db?application_name=x&a=b");
        assert_eq!(file.as_deref(), Some("/etc/ca.crt"));
        assert_eq!(
            take_parameter("redis://h/0?a=1", "a"),
            ("redis://h/0".to_owned(), Some("1".to_owned()))
        );
        assert_eq!(take_parameter("redis://h/0", "a"), ("redis://h/0".to_owned(), None));
    }

    #[test]
    fn authorities_that_are_none_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.crt");
        assert!(client_config(Some(&file)).unwrap_err().contains("ca.crt"));
        std::fs::write(&file, "nothing").unwrap();
        assert!(client_config(Some(&file)).unwrap_err().contains("no certificate"));
    }
}
