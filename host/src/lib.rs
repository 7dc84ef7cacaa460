//! The server: a listener for visitors, a listener for the control API, and the map from host names to deployments.
//!
//! It joins the parts: requests go to `ship-edge`, what is stored to `ship-store`, instances to `ship-runtime`. It never
//! answers a visitor by itself, never writes below the data directory by itself, and reads no environment: whoever starts a
//! host gives it everything in [`HostOptions`].

mod access;
mod beginning;
mod blocking;
mod care;
mod comparison;
mod complete;
mod composition;
mod control;
mod cookies;
mod cores;
mod dashboard;
mod descriptors;
mod domains;
mod environments;
mod error;
mod history;
mod identity;
mod journal;
mod keyring;
mod listen;
mod logins;
mod metrics;
mod options;
mod protection;
mod publisher;
mod rate;
mod reads;
mod redirect;
mod register;
mod relief;
mod secure;
mod server;
mod site_map;
mod sites;
mod telemetry;
mod tls;
mod token;
mod upgrade;
mod urls;
mod warmth;

pub use beginning::{Beginning, GivenSockets};
pub use care::examine_at;
pub use composition::composition_view;
pub use control::openapi_json;
pub use descriptors::prepare_descriptors;
pub use error::HostError;
pub use listen::holder_of;
pub use options::{HostOptions, MetricsAccess, PortChoice, ScrubPace};
pub use server::{Host, Ready};
pub use telemetry::TelemetryOptions;
pub use tls::{AcmeOptions, CertificateError, CertificateFiles, Http3, TlsOptions};
pub use upgrade::{
    AfterHandover, OnHandover, Predecessor, Refusal, SuccessorCommand, UpgradeError, Upgraded, Upgrader,
};
