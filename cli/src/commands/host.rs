//! `ship host`: the server, and looking after the one in the background.

mod keeper;
mod run;
mod service_manager;
mod signals;
mod status;
mod stop;
mod upgrade;

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;

use clap::Subcommand;
use ship_core::AddressRange;
use ship_store::Retention;

use crate::args::values;
use crate::error::CommandError;
use crate::output::Output;
use crate::settings::Settings;

/// How many MiB the scrubber reads in a second: a twentieth of what a slow disk gives, and less than a hundredth of one processor. A
/// hundred gigabytes take three and a half hours.
const SCRUBBED_MB: NonZeroU64 = NonZeroU64::new(8).expect("8 is not 0");

/// After how many seconds it begins: not while everybody wakes up.
const SCRUB_AFTER_SECS: u64 = 60 * 60;

/// Where proxies are that nobody names: on the machine itself.
const LOCAL_PROXIES: [&str; 2] = ["127.0.0.1", "::1"];

/// What an address gets of a processor, in percent: ten thousand requests for small files in a second, or a thousand handshakes. Beside
/// it one of two processors is never all in use.
const ADDRESS_PERCENT: NonZeroU32 = NonZeroU32::new(25).expect("25 is not 0");

/// Serve deployments from this machine until Ctrl-C
#[derive(Clone, Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = false)]
pub(crate) struct HostArgs {
    #[command(subcommand)]
    command: Option<HostCommand>,
    #[command(flatten)]
    run: RunArgs,
}

/// How the server runs.
#[derive(Clone, Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
struct RunArgs {
    /// Where visitors are served (default: 127.0.0.1:7700); port 0 means any
    #[arg(long, value_name = "ADDR", value_parser = values::address)]
    listen: Option<SocketAddr>,
    /// Where visitors are served through TLS; --listen then leads them there
    #[arg(long, value_name = "ADDR", value_parser = values::address)]
    tls_listen: Option<SocketAddr>,
    /// A certificate in PEM with those that vouch for it; several are fine
    #[arg(long, value_name = "FILE", requires_all = ["tls_listen", "tls_key"])]
    tls_cert: Vec<PathBuf>,
    /// The private key of each --tls-cert, in the same order
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Vec<PathBuf>,
    /// Do not serve HTTP/3, over UDP at the port of --tls-listen
    #[arg(long, requires = "tls_listen", hide_short_help = true)]
    no_http3: bool,
    /// Get certificates automatically; the authority writes to this address
    #[arg(long, value_name = "ADDRESS", requires = "tls_listen")]
    acme_email: Option<String>,
    /// The authority to get them from
    #[arg(
        long,
        value_name = "URL",
        hide_short_help = true,
        default_value = "https://acme-v02.api.letsencrypt.org/directory"
    )]
    acme_directory: String,
    /// Who vouches for the authority's own server, in PEM (default: whom this machine trusts)
    #[arg(long, value_name = "FILE", requires = "acme_email", hide_short_help = true)]
    acme_ca: Option<PathBuf>,
    /// A program that changes the DNS zone, for a wildcard certificate
    #[arg(long, value_name = "FILE", requires = "acme_email")]
    acme_dns_hook: Option<PathBuf>,
    /// Where the control API is served (default: 127.0.0.1:7701)
    #[arg(long, value_name = "ADDR", value_parser = values::address)]
    control: Option<SocketAddr>,
    /// The data directory (default: `host` in ship's own folder)
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The domain below which sites stand
    #[arg(long, value_name = "NAME", default_value = "localhost")]
    domain: String,
    /// The DNS server that is asked for proofs of domains (default: that of this machine)
    #[arg(long, value_name = "ADDR", value_parser = values::address, hide_short_help = true)]
    dns_server: Option<SocketAddr>,
    /// Answer /metrics to everybody, not only to who has a token
    #[arg(long)]
    open_metrics: bool,
    /// How much of the disk one project's log may take, in MiB; at least 4
    #[arg(long, value_name = "MIB", default_value_t = 32, value_parser = clap::value_parser!(u64).range(4..=1024 * 1024), hide_short_help = true)]
    log_mb: u64,
    /// How many deployments of each branch stay (default: all)
    ///
    /// Those are the newest. The others are removed when garbage is collected, but for those that are not old and those that production or a branch leads to.
    #[arg(long, value_name = "N")]
    keep: Option<u32>,
    /// For how many days a deployment stays after its last use
    ///
    /// It was last used when production or a branch last led to it, or when it was made.
    #[arg(long, value_name = "DAYS", requires = "keep", default_value_t = Retention::USUAL_DAYS)]
    keep_days: u32,
    /// How many MiB of what is kept are read again in a second, to find damage
    ///
    /// Everything is read again once a day.
    #[arg(long, value_name = "MIB", default_value_t = SCRUBBED_MB, hide_short_help = true)]
    scrub_mb: NonZeroU64,
    /// How many seconds after the host's start it begins with that
    #[arg(long, value_name = "SECS", default_value_t = SCRUB_AFTER_SECS, hide_short_help = true)]
    scrub_after: u64,
    /// Proxies before the host: 10.0.0.0/8
    ///
    /// A proxy speaks for many visitors. Those of any other address share a part of the places for connections and, while others are
    /// connected, of a processor.
    #[arg(long, value_name = "ADDR", value_delimiter = ',', default_values = LOCAL_PROXIES)]
    proxy: Vec<AddressRange>,
    /// How much of one processor the visitors of an address get while others are connected, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = ADDRESS_PERCENT, value_parser = percent, hide_short_help = true)]
    address_share: NonZeroU32,
    /// More addresses for functions to connect to: 10.0.0.5:53, 10.0.0.0/8
    #[arg(long, value_name = "ADDR", value_delimiter = ',')]
    allow_address: Vec<AddressRange>,
    /// The least that functions are kept from; a host that cannot keep them from so much starts none [default: what it can; as root sandbox]
    #[arg(long, value_name = "LEVEL")]
    isolation: Option<IsolationLevel>,
    /// Begin with what `ship backup` saved; the data directory must be empty
    #[arg(long, value_name = "FILE")]
    restore: Option<PathBuf>,
    /// Started in the background by another command
    #[arg(long, hide = true)]
    embedded: bool,
    /// Started by the host that it takes over from, which is at its standard input
    #[arg(long, hide = true)]
    take_over: bool,
}

/// How much of the machine functions are kept from, as options say it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
enum IsolationLevel {
    /// Files, processes, users and network of their own
    Sandbox,
    /// Filters of paths and system calls, and limits
    Process,
}

#[derive(Clone, Debug, Subcommand)]
enum HostCommand {
    /// Show the host that runs
    Status,
    /// End the host in the background, or the one that --host names
    Stop,
    /// Replace the host that runs by another version without a lost request
    Upgrade {
        /// The new `ship`, on the host's machine (default: the one that is run here; for a host elsewhere what stands where its own was)
        program: Option<PathBuf>,
    },
}

/// A part of one processor: as an address has one turn at a time, it could not use more.
fn percent(text: &str) -> Result<NonZeroU32, NotAPercentage> {
    let percent = text.parse().ok().filter(|percent| (1..=100).contains(percent)).and_then(NonZeroU32::new);
    percent.ok_or(NotAPercentage)
}

/// A share of a processor is no part of one.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("expected a number from 1 to 100")]
struct NotAPercentage;

pub(crate) use self::keeper::{KEEPER_NAME, keep};

pub(crate) fn run(arguments: &HostArgs, settings: &Settings, output: &Output) -> Result<(), CommandError> {
    match &arguments.command {
        None => run::run(&arguments.run, settings, output),
        Some(HostCommand::Status) => super::interruptible(status::run(settings, output), &settings.interrupt),
        Some(HostCommand::Stop) => super::interruptible(stop::run(settings, output), &settings.interrupt),
        Some(HostCommand::Upgrade { program }) => {
            super::interruptible(upgrade::run(program.as_deref(), settings, output), &settings.interrupt)
        }
    }
}
