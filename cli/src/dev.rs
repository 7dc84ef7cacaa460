//! The dev server: the site of a folder, served by the same edge as on a host, and always as the folder is now.
//!
//! ```text
//!   edits ──▶ watch ──▶ rebuild ──▶ shown ──▶ reload (pages that are open)
//!                ▲                    │
//!   request ──▶ answer ◀──────────────┘
//! ```
//!
//! [`watch`] hears of every edit, [`rebuild`] alone builds, and what it made is [`shown`] until the next. [`answer`] lets no
//! request overtake an edit: it first makes sure that the watch has heard of everything that happened before the request,
//! and then waits for the build that contains it.

mod answer;
mod console;
mod excerpt;
mod failure_page;
mod faults;
mod folder;
mod framework;
mod keyboard;
mod listener;
mod local_certificate;
mod rebuild;
mod reload;
mod replay;
mod report;
mod serve;
mod shown;
mod store;
mod watch;

pub(crate) use self::console::Console;
pub(crate) use self::framework::Framework;
pub(crate) use self::listener::Listen;
pub(crate) use self::local_certificate::LocalCertificateError;
pub(crate) use self::serve::{DevOptions, serve};
pub(crate) use self::store::KeepError;
pub(crate) use self::watch::WatchError;
