//! A front in front of a server: it speaks TLS by rules that the server itself does not have, and passes on
//! what is inside.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::version::TLS12;
use tokio_rustls::rustls::{ALL_VERSIONS, RootCertStore, ServerConfig};

use crate::Authority;

/// What a front asks of its clients.
#[derive(Debug, Default)]
pub struct FrontRules<'a> {
    /// A certificate that this one has signed.
    pub clients_of: Option<&'a Authority>,
    /// No version of TLS above 1.2.
    pub old: bool,
}

/// A front with a certificate for 127.0.0.1. It ends with the value, and its connections with it.
#[derive(Debug)]
pub struct Front {
    addr: SocketAddr,
    /// Only to be dropped.
    _serving: Runtime,
}

impl Front {
    /// Starts it in front of a server that speaks plain HTTP.
    pub fn start(server: SocketAddr, authority: &Authority, rules: &FrontRules<'_>) -> Front {
        let acceptor = TlsAcceptor::from(Arc::new(config(authority, rules)));
        let serving = Builder::new_multi_thread().worker_threads(1).enable_io().build();
        let serving = serving.expect("a runtime");
        let listener = serving.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let addr = listener.local_addr().expect("an address");
        serving.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(pass(acceptor.clone(), stream, server));
            }
        });
        Front { addr, _serving: serving }
    }

    /// The endpoint: `https://ADDR`.
    pub fn url(&self) -> String {
        format!("https://{}", self.addr)
    }
}

async fn pass(acceptor: TlsAcceptor, stream: TcpStream, server: SocketAddr) {
    match acceptor.accept(stream).into_fallible().await {
        Ok(mut near) => {
            if let Ok(mut far) = TcpStream::connect(server).await {
                // Either end may leave.
                let _ = copy_bidirectional(&mut near, &mut far).await;
            }
        }
        Err((_, mut refused)) => {
            // What is closed with bytes unread is reset, and the client may never see why.
            let mut rest = Vec::new();
            let _ = refused.read_to_end(&mut rest).await;
        }
    }
}

fn config(authority: &Authority, rules: &FrontRules<'_>) -> ServerConfig {
    let provider = Arc::new(default_provider());
    let versions = if rules.old { &[&TLS12][..] } else { ALL_VERSIONS };
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .expect("versions");
    let builder = match rules.clients_of {
        None => builder.with_no_client_auth(),
        Some(clients) => {
            let mut roots = RootCertStore::empty();
            let root = CertificateDer::from_pem_slice(clients.pem().as_bytes());
            roots.add(root.expect("PEM")).expect("a root");
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().expect("a verifier"))
        }
    };
    let (chain, key) = authority.certificate(&["127.0.0.1"]);
    let chain = vec![CertificateDer::from_pem_slice(chain.as_bytes()).expect("PEM")];
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("PEM");
    builder.with_single_cert(chain, key).expect("a certificate and its key")
}
