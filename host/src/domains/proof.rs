//! Looking for the proof that a name is somebody's: a TXT record that only who owns the name can make.

use std::net::SocketAddr;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;
use ship_core::DomainName;

/// How many records at a name are looked at, and said. Others than the owner cannot add any.
const MAX_RECORDS: usize = 16;

/// Reads proofs from the DNS.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProofReader {
    /// The server that is asked; those of the machine where there is none.
    pub(crate) server: Option<SocketAddr>,
}

/// Why a name is not proved.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProofError {
    /// There is no record.
    #[error("there is no TXT record at `{0}`")]
    Absent(String),
    /// There are others.
    #[error("the TXT record at `{at}` says {}", said.join(" and "))]
    Different {
        /// Where it stands.
        at: String,
        /// What it says, quoted.
        said: Vec<String>,
    },
    /// The DNS does not answer.
    #[error("the DNS does not say what stands at `{at}`: {source}")]
    Unanswered {
        /// Where it was looked for.
        at: String,
        /// Why.
        source: NetError,
    },
}

impl ProofReader {
    /// Whether `proof` stands where a name is proved. What was looked up before is not believed: it may just have changed.
    pub(crate) async fn check(self, name: &DomainName, proof: &str) -> Result<(), ProofError> {
        let at = name.proof_name();
        let answer = match self.resolver() {
            // With the root's dot, so that no search list of the machine makes another name of it.
            Ok(resolver) => resolver.txt_lookup(format!("{at}.")).await,
            Err(source) => return Err(ProofError::Unanswered { at, source }),
        };
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) if error.is_no_records_found() || error.is_nx_domain() => return Err(ProofError::Absent(at)),
            Err(source) => return Err(ProofError::Unanswered { at, source }),
        };
        let texts = answer.answers().iter().take(MAX_RECORDS).filter_map(|record| match &record.data {
            // A record's text may stand in pieces (RFC 1035, section 3.3.14).
            RData::TXT(text) => Some(String::from_utf8_lossy(&text.txt_data.concat()).into_owned()),
            _ => None,
        });
        let texts: Vec<String> = texts.collect();
        match texts.as_slice() {
            [] => Err(ProofError::Absent(at)),
            texts if texts.iter().any(|text| text == proof) => Ok(()),
            texts => Err(ProofError::Different { at, said: texts.iter().map(|text| format!("{text:?}")).collect() }),
        }
    }

    fn resolver(self) -> Result<TokioResolver, NetError> {
        let mut builder = match self.server {
            None => TokioResolver::builder_tokio()?,
            Some(server) => {
                let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
                    connection.port = server.port();
                    connection
                });
                let server = NameServerConfig::new(server.ip(), true, connections.into());
                let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
                TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
            }
        };
        builder.options_mut().cache_size = 0;
        builder.build()
    }
}
