//! Reads an issuer's keys from where the configuration says.

use std::io::Read as _;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use rustls::crypto::aws_lc_rs;
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};

use crate::config::JwksSource;

/// Octets of a key set.
const BYTES_MAX: u64 = 256 * 1024;
/// The whole of an answer must be there by then: a login waits for it.
const TIMEOUT: Duration = Duration::from_secs(10);
const HEADER_BYTES_MAX: usize = 16 * 1024;

/// The text of the key set, off the threads that serve sessions.
pub(super) async fn read(source: &JwksSource) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
    let source = source.clone();
    tokio::task::spawn_blocking(move || match &source {
        JwksSource::File(path) => read_file(path),
        JwksSource::Url(url) => read_url(url),
    })
    .await?
}

fn read_file(path: &Path) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
    let mut text = Vec::new();
    std::fs::File::open(path)?.take(BYTES_MAX + 1).read_to_end(&mut text)?;
    if text.len() as u64 > BYTES_MAX {
        return Err("the file is larger than 256 KiB".into());
    }
    Ok(text)
}

/// No redirects: who runs the issuer's host decides about its keys, and nobody else.
fn read_url(url: &str) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
    let mut response =
        AGENT.get(url).header("accept", "application/jwk-set+json, application/json").call()?;
    if response.status() != 200 {
        return Err(format!("the answer is {}", response.status()).into());
    }
    Ok(response.body_mut().with_config().limit(BYTES_MAX).read_to_vec()?)
}

static AGENT: LazyLock<Agent> = LazyLock::new(|| {
    let found = rustls_native_certs::load_native_certs();
    let roots: Vec<_> =
        found.certs.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect();
    let tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(Arc::new(aws_lc_rs::default_provider()))
        .root_certs(RootCerts::from(roots))
        .build();
    Agent::config_builder()
        .tls_config(tls)
        .timeout_global(Some(TIMEOUT))
        .max_redirects(0)
        .max_redirects_will_error(false)
        .max_response_header_size(HEADER_BYTES_MAX)
        .max_idle_connections(0)
        .http_status_as_error(true)
        .proxy(None)
        .build()
        .into()
});
