//! Where a dev server is reached: its address, and its certificate if it has one.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use ship_edge::{ConnectionLimits, Crew, Scheme};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::answer::{DevAnswer, is_this_machine};
use super::local_certificate::{AuthorityAge, Certified, LocalAuthority, may_vouch_for};
use super::replay::Destination;
use crate::error::CommandError;
use crate::output::{Output, shell_word};
use crate::settings::Settings;

/// Where the dev server listens if nothing is said.
const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 3000);

/// How many ports are tried if nothing is said and the first is taken.
const PORTS_TRIED: u16 = 50;

/// Where a dev server listens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Listen {
    /// There, and nowhere else.
    At(SocketAddr),
    /// At this port of this machine, or the next that is free.
    FromPort(u16),
    /// At the usual port, or the next that is free.
    Anywhere,
}

impl Listen {
    /// The first address that is tried.
    fn first(self) -> SocketAddr {
        match self {
            Self::At(address) => address,
            Self::FromPort(port) => SocketAddr::new(DEFAULT_LISTEN.ip(), port),
            Self::Anywhere => DEFAULT_LISTEN,
        }
    }
}

/// An address that is listened at, before anything is answered there.
#[derive(Debug)]
pub(super) struct DevListener {
    listener: TcpListener,
    address: SocketAddr,
    certified: Option<Certified>,
}

impl DevListener {
    /// Listens where `asked` says, through TLS if the scheme is that, and says what a person could not know of it.
    pub(super) async fn open(
        asked: Listen,
        scheme: Scheme,
        settings: &Settings,
        output: &Output,
    ) -> Result<Self, CommandError> {
        let listener = listen(asked).await?;
        let address = listener.local_addr().map_err(CommandError::project)?;
        let first = asked.first();
        if !matches!(asked, Listen::At(_)) && address != first {
            let (usual, holder) = (first.port(), holder_of(first));
            output.status(format_args!("Port {usual} is taken by {holder}, so this is port {}", address.port()));
        }
        let certified = match scheme {
            Scheme::Http => None,
            Scheme::Https => Some(certified(settings, address, output)?),
        };
        Ok(Self { listener, address, certified })
    }

    /// The address, with the port that was found.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How it is spoken with.
    pub(super) fn scheme(&self) -> Scheme {
        if self.certified.is_some() { Scheme::Https } else { Scheme::Http }
    }

    /// The URL that people open.
    pub(super) fn url(&self) -> String {
        format!("{}://{}", self.scheme().as_str(), self.address)
    }

    /// What says whether an origin is one under which this server itself is reached.
    pub(super) fn own_origins(&self) -> impl Fn(&str) -> bool + Send + Sync + 'static {
        let (address, scheme) = (self.address, self.scheme());
        move |origin| is_own_origin(origin, address, scheme)
    }

    /// How this server is asked by itself, as a visitor would ask it.
    pub(super) fn destination(&self) -> Destination {
        let trust = self.certified.as_ref().map(|certified| Arc::clone(&certified.client));
        Destination { address: self.address, trust }
    }

    /// Answers until `stop`.
    pub(super) async fn serve(self, answer: Arc<DevAnswer>, limits: ConnectionLimits, stop: CancellationToken) {
        let crew = Crew::here();
        match self.certified {
            None => ship_edge::serve(self.listener, crew, answer, limits, stop).await,
            Some(certified) => ship_edge::serve_tls(self.listener, certified.server, crew, answer, limits, stop).await,
        }
    }
}

/// What serves TLS at `address`, and how it comes to be trusted.
fn certified(settings: &Settings, address: SocketAddr, output: &Output) -> Result<Certified, CommandError> {
    let authority = LocalAuthority::in_folder(settings.home.local_authority());
    let file = authority.certificate_file();
    let made = match authority.make()? {
        AuthorityAge::Old => None,
        AuthorityAge::New => Some("Made a certificate authority for this machine"),
        AuthorityAge::Replaced => Some(
            "Made a certificate authority that can vouch for this machine alone, in the place of one that could for any site",
        ),
    };
    if let Some(made) = made {
        output.status(format_args!("{made}: {}", file.display()));
        output.hint(format_args!("browsers warn until they trust it: {}", how_to_trust(&file, Path::new("/"))));
    }
    let ip = address.ip();
    if !ip.is_unspecified() && !may_vouch_for(ip) {
        output.warning(format_args!(
            "the certificate is for localhost alone: the authority vouches for no address outside of this machine and private \
             networks, which {ip} is"
        ));
    }
    Ok(authority.certify(ip)?)
}

/// What to type so that `file` is trusted, by the folder that this kind of system reads. Browsers on Linux have lists of their own.
fn how_to_trust(file: &Path, system: &Path) -> String {
    let file = shell_word(&file.to_string_lossy());
    let import = "Chromium and Firefox import it in their settings (certificates, authorities)";
    if system.join("usr/local/share/ca-certificates").is_dir() {
        let target = "/usr/local/share/ca-certificates/ship-dev.crt";
        format!("`sudo cp {file} {target} && sudo update-ca-certificates` for programs; {import}")
    } else if system.join("etc/pki/ca-trust/source/anchors").is_dir() {
        format!("`sudo trust anchor {file}` for programs; {import}")
    } else if system.join("System/Library").is_dir() {
        format!("`security add-trusted-cert -k ~/Library/Keychains/login.keychain-db {file}`")
    } else {
        import.to_owned()
    }
}

/// Listens where somebody said, exactly, or at the first free port from that or the usual one on.
async fn listen(asked: Listen) -> Result<TcpListener, CommandError> {
    let first = asked.first();
    let tries = if matches!(asked, Listen::At(_)) { 1 } else { PORTS_TRIED };
    for port in (first.port()..=u16::MAX).take(usize::from(tries)) {
        let address = SocketAddr::new(first.ip(), port);
        match TcpListener::bind(address).await {
            Ok(listener) => return Ok(listener),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            Err(error) => return Err(cannot_listen(address, &error)),
        }
    }
    let hint = "`ship dev --listen 127.0.0.1:0` takes any free port";
    Err(CommandError::project(format!("{first} is taken by {}", holder_of(first))).hint(hint))
}

fn cannot_listen(address: SocketAddr, error: &std::io::Error) -> CommandError {
    let (reason, hint) = match error.kind() {
        ErrorKind::AddrNotAvailable => (
            "this machine has no such address".to_owned(),
            format!(
                "`--listen 127.0.0.1:{0}` is reached from here alone, `--listen 0.0.0.0:{0}` at all addresses",
                address.port()
            ),
        ),
        ErrorKind::PermissionDenied => {
            (error.to_string(), "ports below 1024 are for root: `ship dev --port 3000`".to_owned())
        }
        _ => return CommandError::project(format!("cannot listen at {address}: {error}")),
    };
    CommandError::project(format!("cannot listen at {address}: {reason}")).hint(hint)
}

/// Who listens at an address, as far as this user may know.
fn holder_of(address: SocketAddr) -> String {
    ship_host::holder_of(address).unwrap_or_else(|| "another program".to_owned())
}

/// Whether an origin is one under which the dev server itself is reached.
fn is_own_origin(origin: &str, address: SocketAddr, scheme: Scheme) -> bool {
    let authority = origin.strip_prefix(scheme.as_str()).and_then(|rest| rest.strip_prefix("://"));
    let Some(authority) = authority else { return false };
    let usual = if scheme == Scheme::Https { 443 } else { 80 };
    let port = authority.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or(usual);
    port == address.port() && is_this_machine(authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each kind of system has its own way to trust an authority, and each is said with the file.
    #[test]
    fn ways_to_trust() {
        let said = |folder: &str| {
            let system = tempfile::tempdir().unwrap();
            fs_err::create_dir_all(system.path().join(folder)).unwrap();
            how_to_trust(Path::new("/home/me/ca.pem"), system.path())
        };
        let debian =
            "`sudo cp /home/me/ca.pem /usr/local/share/ca-certificates/ship-dev.crt && sudo update-ca-certificates`";
        assert!(said("usr/local/share/ca-certificates").starts_with(debian));
        assert!(said("etc/pki/ca-trust/source/anchors").starts_with("`sudo trust anchor /home/me/ca.pem`"));
        assert!(said("usr").starts_with("Chromium and Firefox import it"));
    }

    /// An address that this machine does not have is said to be that, with what to type instead.
    #[tokio::test]
    async fn foreign_address() {
        let error = listen(Listen::At("192.0.2.1:4000".parse().unwrap())).await.unwrap_err();
        assert_eq!(error.to_lines(), ["cannot listen at 192.0.2.1:4000: this machine has no such address"]);
        assert!(error.to_text(&Output::for_tests()).contains("hint: `--listen 127.0.0.1:4000`"));
    }

    /// A page of this server, by any name of this machine, is its own; the same name at another port is not.
    #[test]
    fn own_origins() {
        let address: SocketAddr = "127.0.0.1:3000".parse().unwrap();
        for origin in ["http://127.0.0.1:3000", "http://localhost:3000", "http://[::1]:3000"] {
            assert!(is_own_origin(origin, address, Scheme::Http), "{origin}");
        }
        for origin in
            ["http://localhost:3001", "https://localhost:3000", "http://localhost", "null", "http://a.test:3000"]
        {
            assert!(!is_own_origin(origin, address, Scheme::Http), "{origin}");
        }
    }

    /// A taken port is passed over unless somebody asked for it.
    #[tokio::test]
    async fn taken_ports() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = taken.local_addr().unwrap();
        let error = listen(Listen::At(address)).await.unwrap_err();
        let [line] = &error.to_lines()[..] else { panic!("{error:?}") };
        assert!(line.starts_with(&format!("{address} is taken by ")), "{line}");
        assert!(line.ends_with(&format!("(pid {})", std::process::id())), "{line}");
        let next = listen(Listen::FromPort(address.port())).await.unwrap().local_addr().unwrap();
        assert!(next.port() > address.port(), "{next}");
        assert!(listen(Listen::Anywhere).await.is_ok());
    }
}
