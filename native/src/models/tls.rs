//! Which TLS library speaks for the downloader.

use ureq::config::ConfigBuilder;
use ureq::typestate::AgentScope;

/// Windows and macOS bring a TLS library of their own, which also knows the certificates of a company's proxy.
#[cfg(any(windows, target_os = "macos"))]
pub fn configure(config: ConfigBuilder<AgentScope>) -> ConfigBuilder<AgentScope> {
    use ureq::tls::{RootCerts, TlsConfig, TlsProvider};
    let tls = TlsConfig::builder().provider(TlsProvider::NativeTls).root_certs(RootCerts::PlatformVerifier);
    config.tls_config(tls.build())
}

/// Elsewhere rustls, which needs nothing installed.
#[cfg(not(any(windows, target_os = "macos")))]
pub fn configure(config: ConfigBuilder<AgentScope>) -> ConfigBuilder<AgentScope> {
    config
}
