//! How QUIC is spoken.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::QuicServerConfig;
use quinn::{EndpointConfig, IdleTimeout, ServerConfig, TransportConfig, VarInt};
use rustls::ServerConfig as TlsConfig;

use super::door::QuicSecrets;
use super::ids::Ids;
use crate::serve::streams::MAX_STREAMS;

/// How many streams a visitor has open at once that are about the connection: HTTP/3 has three, and some send one that means nothing, to
/// keep others from relying on there being none.
const OTHER_STREAMS: u32 = 8;

/// How much of one request's body may be under way before it is read, in bytes: as in HTTP/2.
const STREAM_WINDOW: u32 = 256 * 1024;

/// The same for all bodies of a connection.
const CONNECTION_WINDOW: u32 = 1024 * 1024;

/// How much a connection keeps of answers until the visitor says that it arrived, in bytes. So much reaches a visitor in each round trip:
/// 10 MB a second over a hundred milliseconds. In TCP the kernel would keep up to 4 MiB.
const SEND_WINDOW: u64 = 1024 * 1024;

/// How often a visitor who says nothing is asked whether they are there. Browsers give a connection up after 30 s of silence.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How long nothing may come from a visitor who was asked, as in HTTP/2.
const SILENCE: Duration = Duration::from_secs(50);

/// How many visitors may wait to be let in, and how many bytes of what they say meanwhile are kept, for each and for all of them.
const MAX_INCOMING: usize = 256;
const INCOMING_BYTES: u64 = 16 * 1024;
const ALL_INCOMING_BYTES: u64 = 1024 * 1024;

/// How the endpoint knows its datagrams.
pub(super) fn of_endpoint(secrets: &QuicSecrets) -> EndpointConfig {
    let mut endpoint = EndpointConfig::new(Arc::new(secrets.reset_key()));
    let ids = Ids::of(secrets);
    endpoint.cid_generator(move || Box::new(ids.clone()));
    endpoint
}

/// How connections are made, and what they may take.
pub(super) fn of_connections(tls: &Arc<TlsConfig>, secrets: &QuicSecrets) -> io::Result<ServerConfig> {
    let crypto = QuicServerConfig::try_from(Arc::clone(tls)).map_err(io::Error::other)?;
    let mut config = ServerConfig::new(Arc::new(crypto), Arc::new(secrets.token_key()));
    config
        .transport_config(Arc::new(transport()?))
        .max_incoming(MAX_INCOMING)
        .incoming_buffer_size(INCOMING_BYTES)
        .incoming_buffer_size_total(ALL_INCOMING_BYTES);
    Ok(config)
}

fn transport() -> io::Result<TransportConfig> {
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(MAX_STREAMS))
        .max_concurrent_uni_streams(VarInt::from_u32(OTHER_STREAMS))
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW))
        .receive_window(VarInt::from_u32(CONNECTION_WINDOW))
        .send_window(SEND_WINDOW)
        .keep_alive_interval(Some(KEEP_ALIVE))
        .max_idle_timeout(Some(IdleTimeout::try_from(SILENCE).map_err(io::Error::other)?))
        // Requests come on streams alone.
        .datagram_receive_buffer_size(None);
    Ok(transport)
}
