//! Who may see the sites of a project: the gate that each protected site has, and how its settings change.

mod attempts;
mod cookie;
mod gate;
mod password;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use data_encoding::BASE32_NOPAD;
use jiff::Timestamp;
use ship_core::{Digest, ProjectName, ProtectionCoverage, ProtectionMode};
use ship_edge::Gate;
use ship_store::{AuditNote, ProtectionRecord, StateError, Store};

use self::gate::Porter;
pub(crate) use self::gate::ProjectGate;
pub(crate) use self::password::{MIN_PASSWORD_CHARS, hash};
use crate::error::HostError;

/// Which of a project's sites somebody asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SiteKind {
    /// Production's own.
    Production,
    /// Any other: a branch's, or a deployment's own.
    Preview,
}

/// The gates of all projects.
#[derive(Clone)]
pub(crate) struct Protections {
    store: Store,
    porter: Arc<Porter>,
    gates: Arc<RwLock<HashMap<ProjectName, Arc<ProjectGate>>>>,
}

/// What is to change.
#[derive(Clone, Debug, Default)]
pub(crate) struct ProtectionChange {
    pub(crate) mode: Option<ProtectionMode>,
    pub(crate) coverage: Option<ProtectionCoverage>,
    /// A new password, hashed.
    pub(crate) password: Option<String>,
    /// Whether there is to be another bypass secret.
    pub(crate) bypass: BypassChange,
}

/// What becomes of the bypass secret.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum BypassChange {
    /// It stays, if there is one.
    #[default]
    Keep,
    /// Another takes its place.
    Rotate,
}

/// Why a change was not made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProtectionError {
    /// It cannot be kept.
    #[error(transparent)]
    State(#[from] StateError),
    /// No random bytes can be had.
    #[error(transparent)]
    Random(#[from] HostError),
    /// There is no password to ask for.
    #[error("a password is needed to protect by one")]
    NoPassword,
}

impl Protections {
    /// The gates as they are set.
    pub(crate) fn load(store: Store) -> Result<Self, StateError> {
        let porter = Arc::new(Porter::default());
        let gate = |(project, record): (ProjectName, ProtectionRecord)| {
            let gate = ProjectGate::new(project.clone(), Arc::clone(&porter));
            gate.set(Some(record));
            (project, Arc::new(gate))
        };
        let gates = store.protections().all()?.into_iter().map(gate).collect();
        Ok(Self { gates: Arc::new(RwLock::new(gates)), porter, store })
    }

    /// The gate of a project, which is open where nothing is set.
    pub(crate) fn gate(&self, project: &ProjectName) -> Arc<ProjectGate> {
        if let Some(gate) = self.gates.read().unwrap_or_else(PoisonError::into_inner).get(project) {
            return Arc::clone(gate);
        }
        let mut gates = self.gates.write().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(ProjectGate::new(project.clone(), Arc::clone(&self.porter)));
        Arc::clone(gates.entry(project.clone()).or_insert_with(new))
    }

    /// Changes the protection of a project. The next request meets it. Gives the bypass secret if there is a new one: it is shown now or
    /// never. Blocks.
    pub(crate) fn change(
        &self,
        project: &ProjectName,
        change: ProtectionChange,
        note: &AuditNote,
    ) -> Result<(ProtectionRecord, Option<String>), ProtectionError> {
        let ProtectionChange { mode, coverage, password, bypass } = change;
        let gate = self.gate(project);
        let _turn = gate.turn();
        let before = gate.record();
        let mut record = match &before {
            Some(record) => ProtectionRecord::clone(record),
            None => ProtectionRecord {
                mode: ProtectionMode::default(),
                coverage: ProtectionCoverage::default(),
                password: None,
                bypass: [0; 32],
                cookie_key: [0; 32],
                changed_at: Timestamp::now(),
            },
        };
        let secret = if before.is_none() || bypass == BypassChange::Rotate { Some(new_secret()?) } else { None };
        if let Some(secret) = &secret {
            record.bypass = hash_of_secret(secret);
        }
        let has_new_password = password.is_some();
        record.mode = mode.unwrap_or(record.mode);
        record.coverage = coverage.unwrap_or(record.coverage);
        record.password = password.or(record.password);
        if record.mode == ProtectionMode::Password && record.password.is_none() {
            return Err(ProtectionError::NoPassword);
        }
        let was = before.as_ref().map(|before| before.mode);
        if secret.is_some() || has_new_password || was != Some(record.mode) {
            // Whoever was let in by what opened before shows it anew.
            record.cookie_key = random()?;
        }
        record.changed_at = Timestamp::now();
        let news = [(has_new_password, ", another password"), (secret.is_some(), ", another bypass secret")];
        let news = news.into_iter().filter_map(|(is_new, what)| is_new.then_some(what)).collect::<String>();
        let what = format!("{} for {}{news}", record.mode, record.coverage);
        self.store.protections().set(project, &record, &note.about(what))?;
        gate.set(Some(record.clone()));
        Ok((record, secret))
    }

    /// Opens the gate of a project that was removed, whose settings went with it.
    pub(crate) fn forget(&self, project: &ProjectName) {
        self.gate(project).set(None);
    }
}

/// The gate that stands before a site, if one does.
pub(crate) fn before_site(gate: &Arc<ProjectGate>, kind: SiteKind) -> Option<Arc<dyn Gate>> {
    gate.covers(kind).then(|| Arc::clone(gate) as Arc<dyn Gate>)
}

fn random<const N: usize>() -> Result<[u8; N], HostError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|reason| HostError::Random { reason })?;
    Ok(bytes)
}

/// A bypass secret: 160 random bits as 32 characters, as many as Vercel's have.
fn new_secret() -> Result<String, HostError> {
    Ok(BASE32_NOPAD.encode(&random::<20>()?).to_ascii_lowercase())
}

/// What is kept of a bypass secret. It is random, so its hash needs neither salt nor stretching.
fn hash_of_secret(secret: &str) -> [u8; 32] {
    *Digest::of(secret.as_bytes()).as_bytes()
}
