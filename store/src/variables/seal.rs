//! Sealing values: XChaCha20-Poly1305 with a random nonce, and with all that a row says about itself as associated data. A sealed
//! value that is put into another row, of another project, target, branch, name or version, does not open.

use std::fmt;

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use ship_core::{ProjectName, VariableValue};

use super::VariableRecord;
use super::error::VariablesError;
use super::key::HostKey;

/// The bytes of a key, which `Debug` does not show.
pub(super) struct KeyBytes(pub(super) [u8; 32]);

impl fmt::Debug for KeyBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyBytes(…)")
    }
}

/// A sealed value, and which key opens it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Sealed {
    pub(super) key_id: String,
    pub(super) nonce: [u8; 24],
    pub(super) bytes: Vec<u8>,
}

impl HostKey {
    /// Seals a value for one row.
    pub(super) fn seal(
        &self,
        project: &ProjectName,
        record: &VariableRecord,
        value: &VariableValue,
    ) -> Result<Sealed, VariablesError> {
        let mut nonce = [0; 24];
        getrandom::fill(&mut nonce).map_err(|reason| VariablesError::Random { reason })?;
        let key = self.first();
        let aad = associated_data(project, record);
        let payload = Payload { msg: value.expose().as_bytes(), aad: &aad };
        let cipher = XChaCha20Poly1305::new(&key.bytes.0.into());
        let bytes = cipher.encrypt(&XNonce::from(nonce), payload).map_err(|_| altered(record))?;
        Ok(Sealed { key_id: key.id.clone(), nonce, bytes })
    }

    /// Opens what was sealed for this very row.
    pub(super) fn open(
        &self,
        project: &ProjectName,
        record: &VariableRecord,
        sealed: &Sealed,
    ) -> Result<VariableValue, VariablesError> {
        let key = self.keys.iter().find(|key| key.id == sealed.key_id).ok_or_else(|| VariablesError::OtherKey {
            name: record.name.clone(),
            scope: Box::new(record.scope.clone()),
            sealed_by: sealed.key_id.clone(),
            host_key: self.id().to_owned(),
        })?;
        let aad = associated_data(project, record);
        let payload = Payload { msg: &sealed.bytes, aad: &aad };
        let cipher = XChaCha20Poly1305::new(&key.bytes.0.into());
        let bytes = cipher.decrypt(&XNonce::from(sealed.nonce), payload).map_err(|_| altered(record))?;
        let text = String::from_utf8(bytes).map_err(|_| altered(record))?;
        text.try_into().map_err(|_| altered(record))
    }
}

fn altered(record: &VariableRecord) -> VariablesError {
    VariablesError::Altered { name: record.name.clone(), scope: Box::new(record.scope.clone()) }
}

/// All that a row says about itself, each part with its length before it, so that no two rows say the same.
fn associated_data(project: &ProjectName, record: &VariableRecord) -> Vec<u8> {
    let branch = record.scope.branch().map(ship_core::BranchName::as_str);
    let version = record.version.to_string();
    let parts = [
        "ship variable 1",
        project.as_str(),
        record.scope.target().as_str(),
        if branch.is_some() { "branch" } else { "every branch" },
        branch.unwrap_or_default(),
        record.name.as_str(),
        record.kind.as_str(),
        &version,
    ];
    let part = |part: &str| [&(part.len() as u64).to_le_bytes()[..], part.as_bytes()].concat();
    parts.into_iter().flat_map(part).collect()
}
