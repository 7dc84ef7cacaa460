//! Certificates that the host gets for itself (ACME, RFC 8555), and keeps from running out.
//!
//! Names come from three sides: what production leads to and whatever is published, from the start; and what visitors ask for, if it
//! is a name of this host. Of a stranger's name nobody is asked anything, so nobody can use up what an authority allows.

mod account;
mod book;
mod hook;
mod order;
mod validity;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use ship_core::HostLabel;
use ship_edge::host_label;
use ship_store::{Store, StoredCertificate};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::account::AccountDesk;
use self::book::Book;
pub(crate) use self::book::NameReport;
pub(crate) use self::hook::DnsHook;
use self::order::{AcmeError, Issued};
use super::certificate::Certificate;
use super::certificates::Certificates;
use crate::blocking::blocking;
use crate::error::{HostError, with_causes};
use crate::site_map::SiteMap;

/// How many certificates are ordered at once.
const ORDERS_AT_ONCE: usize = 4;

/// How long an order may take, in which an authority looks from several places and a zone is changed.
const ORDER_TIMEOUT: Duration = Duration::from_mins(5);

/// How long the keeper sleeps at the most. Clocks are set and machines suspended while it does.
const LONGEST_SLEEP: Duration = Duration::from_mins(15);

/// How many certificates may be ordered within a week before those of previews have to wait. Let's Encrypt gives 50 a week for a
/// registered domain, and those of productions must not be what is left out.
const WEEKLY_FOR_PREVIEWS: u64 = 30;

/// The week of that.
const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How a host gets certificates for itself.
#[derive(Clone, Debug)]
pub struct AcmeOptions {
    /// Whom the authority tells of problems.
    pub email: String,
    /// The URL of the authority's directory.
    pub directory: String,
    /// The authority that vouches for the directory's own server, in PEM; those that the machine trusts where there is none.
    pub root: Option<PathBuf>,
    /// The program that changes the domain's zone, if there is one: then one certificate stands for all names below the domain.
    pub dns_hook: Option<PathBuf>,
}

/// Gets certificates, and gets them anew in time.
pub(crate) struct AcmeKeeper {
    store: Store,
    map: SiteMap,
    domain: String,
    directory: String,
    certificates: Arc<Certificates>,
    account: Arc<AccountDesk>,
    hook: Option<Arc<DnsHook>>,
    book: Arc<Mutex<Book>>,
    /// Names that visitors asked for in vain.
    missed: mpsc::Receiver<String>,
    /// Names that lead somewhere for the first time.
    newcomers: mpsc::UnboundedReceiver<String>,
}

/// What is known of the certificates that a host gets for itself.
#[derive(Clone, Default)]
pub(crate) struct AcmeReport {
    book: Arc<Mutex<Book>>,
    /// Where names lead, if certificates are got at all.
    map: Option<SiteMap>,
}

impl AcmeReport {
    /// Every name that leads somewhere, and how it stands with its certificate.
    pub(crate) fn names(&self) -> BTreeMap<String, NameReport> {
        let book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        book.report(|name| self.map.as_ref().is_some_and(|map| leads_somewhere(map, name)))
    }
}

/// Whether a certificate is of use: one for a whole domain always is.
fn leads_somewhere(map: &SiteMap, name: &str) -> bool {
    name.starts_with("*.") || map.has(name)
}

impl AcmeKeeper {
    /// A keeper over what was obtained before, which is shown at once.
    pub(crate) async fn start(
        options: &AcmeOptions,
        store: Store,
        map: SiteMap,
        domain: &str,
        certificates: Arc<Certificates>,
    ) -> Result<(Self, AcmeReport), HostError> {
        let newcomers = map.newcomers();
        let missed = certificates.listen_for_missed();
        let book = Arc::<Mutex<Book>>::default();
        let report = AcmeReport { book: Arc::clone(&book), map: Some(map.clone()) };
        let keeper = Self {
            account: Arc::new(AccountDesk::new(options.clone(), store.clone())),
            hook: options.dns_hook.clone().map(|program| Arc::new(DnsHook { program })),
            domain: domain.to_owned(),
            directory: options.directory.clone(),
            store,
            map,
            certificates,
            book,
            missed,
            newcomers,
        };
        let store = keeper.store.clone();
        let (stored, productions) = blocking(move || {
            Ok::<_, ship_store::StateError>((store.certificates().all()?, store.deployments().projects()?))
        })
        .await?;
        for certificate in &stored {
            if certificate.directory == keeper.directory {
                keeper.take_stored(certificate);
            }
        }
        if keeper.hook.is_some() {
            keeper.want(&format!("*.{}", keeper.domain));
        }
        for project in productions {
            keeper.want_own(&format!("{}.{}", HostLabel::production(&project.name), keeper.domain));
        }
        for name in keeper.map.domains().names() {
            keeper.want_own(&name);
        }
        Ok((keeper, report))
    }

    /// Gets what is due until `stop`.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut orders: JoinSet<(String, Result<Issued, AcmeError>)> = JoinSet::new();
        loop {
            let sleep = self.begin_due(&mut orders).await;
            tokio::select! {
                () = stop.cancelled() => break,
                // If something stands there, the next visitor will not ask in vain.
                Some(name) = self.missed.recv() => if self.map.has(&name) { self.want_own(&name) },
                Some(name) = self.newcomers.recv() => self.want_own(&name),
                Some(ended) = orders.join_next(), if !orders.is_empty() => match ended {
                    Ok((name, ended)) => self.end(&name, ended).await,
                    Err(error) => tracing::error!(%error, "an order of a certificate panicked"),
                },
                () = tokio::time::sleep(sleep) => {}
            }
        }
        orders.shutdown().await;
    }

    fn book(&self) -> std::sync::MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn want(&self, name: &str) {
        self.book().want(name, Timestamp::now());
    }

    /// A certificate is wanted for a name of this host. Where the zone can be changed, one stands for all below the domain.
    fn want_own(&self, name: &str) {
        if self.hook.is_none() || host_label(name, &self.domain).is_none() {
            self.want(name);
        }
    }

    /// Begins the orders that are due, and says when the next one is.
    async fn begin_due(&self, orders: &mut JoinSet<(String, Result<Issued, AcmeError>)>) -> Duration {
        let now = Timestamp::now();
        self.forget_gone(now).await;
        while orders.len() < ORDERS_AT_ONCE {
            let Some(name) = self.book().due(now) else { break };
            if let Err(error) = self.may_order(&name, now).await {
                self.book().failed(&name, with_causes(&error), now);
                continue;
            }
            self.book().begin(&name);
            let (account, hook) = (Arc::clone(&self.account), self.hook.clone());
            let certificates = Arc::clone(&self.certificates);
            orders.spawn(async move {
                let ordering = async {
                    let account = account.account().await?;
                    order::order(&account, &name, &certificates, hook.as_deref()).await
                };
                let ended = tokio::time::timeout(ORDER_TIMEOUT, ordering).await;
                let ended = ended.unwrap_or(Err(AcmeError::Timeout(ORDER_TIMEOUT)));
                (name, ended)
            });
        }
        let next = self.book().next_due();
        let until = next.map_or(LONGEST_SLEEP, |next| Duration::try_from(next.duration_since(now)).unwrap_or_default());
        // With all places taken, it is an order's end that is waited for.
        if orders.len() < ORDERS_AT_ONCE { until.min(LONGEST_SLEEP) } else { LONGEST_SLEEP }
    }

    /// What leads nowhere any more is not renewed, and its key is not kept: an authority that cannot prove it would be asked for ever.
    async fn forget_gone(&self, now: Timestamp) {
        let gone = self.book().forget_gone(now, |name| leads_somewhere(&self.map, name));
        for name in gone {
            self.certificates.uninstall(&name);
            tracing::info!(name, "a certificate is not renewed: its name leads nowhere any more");
            let store = self.store.clone();
            let removed = blocking(move || store.certificates().remove(&name)).await;
            if let Err(error) = removed {
                // It is looked at again when the host starts.
                tracing::warn!(error = with_causes(&error), "a certificate that is not renewed cannot be removed");
            }
        }
    }

    /// Whether a certificate may be ordered for a name now, or why not.
    async fn may_order(&self, name: &str, now: Timestamp) -> Result<(), AcmeError> {
        let label = host_label(name, &self.domain);
        let is_preview = label.is_some_and(|label| !self.map.is_production(&label));
        if !is_preview || self.book().has_certificate(name) {
            return Ok(());
        }
        let store = self.store.clone();
        let since = now - WEEK;
        match blocking(move || store.certificates().obtained_since(since)).await? {
            obtained if obtained >= WEEKLY_FOR_PREVIEWS => Err(AcmeError::PreviewsWait(obtained)),
            _ => Ok(()),
        }
    }

    /// An order has ended: its certificate is kept, and shown as soon as it cannot be lost.
    async fn end(&self, name: &str, ended: Result<Issued, AcmeError>) {
        let now = Timestamp::now();
        let kept = match ended {
            Ok(issued) => self.keep(name, issued, now).await,
            Err(error) => Err(error),
        };
        match kept {
            Ok(()) => tracing::info!(name, "a certificate was obtained"),
            Err(error) => {
                let why = with_causes(&error);
                tracing::warn!(name, why, "no certificate was obtained");
                self.book().failed(name, why, now);
            }
        }
    }

    async fn keep(&self, name: &str, issued: Issued, at: Timestamp) -> Result<(), AcmeError> {
        let stored = StoredCertificate {
            name: name.to_owned(),
            directory: self.directory.clone(),
            chain: issued.chain,
            private_key: issued.private_key,
            obtained_at: at,
        };
        let store = self.store.clone();
        let kept = blocking(move || store.certificates().keep(&stored).map(|()| stored)).await;
        if self.take_stored(&kept?) { Ok(()) } else { Err(AcmeError::Unusable) }
    }

    /// Shows a certificate and notes when it is to be renewed. `false` if it is none.
    fn take_stored(&self, stored: &StoredCertificate) -> bool {
        let place = std::path::Path::new(&stored.name);
        let (chain, key) = (stored.chain.as_bytes(), stored.private_key.as_bytes());
        let certificate = match Certificate::from_pem((place, chain), (place, key)) {
            Ok(certificate) => certificate,
            Err(error) => {
                tracing::error!(
                    name = stored.name,
                    error = &error as &dyn std::error::Error,
                    "an unusable certificate"
                );
                return false;
            }
        };
        let Some(validity) = validity::of(&certificate) else { return false };
        self.book().obtained(&stored.name, validity);
        self.certificates.install(&stored.name, &certificate);
        true
    }
}
