//! Which label a name gets, when labels are first come, first served.

use rusqlite::Transaction;
use ship_core::{DeploymentId, HostLabel, ProjectName};

use super::alias_log::{LabelOwner, Name, Pointer};
use super::error::PublishError;
use super::rows;

/// How many characters of a deployment's id stand in its label: the first number that gives a free one.
const ID_CHARS: [usize; 5] = [8, 12, 16, 24, 32];

/// A label that is free, or that belongs to the name already.
pub(super) struct Place {
    pub(super) label: HostLabel,
    pub(super) seen: Option<Pointer>,
}

/// The label of a deployment that has none yet.
pub(super) fn own(
    transaction: &Transaction,
    project: &ProjectName,
    id: &DeploymentId,
) -> Result<HostLabel, PublishError> {
    let candidates = ID_CHARS.map(|chars| HostLabel::deployment(project, id, chars));
    Ok(first_free(transaction, &candidates)?.label)
}

/// The label of production: the project's name and nothing else.
pub(super) fn production(transaction: &Transaction, name: &Name) -> Result<Place, PublishError> {
    place(transaction, name, &[HostLabel::production(name.project)])
}

/// The label of a branch. A branch keeps the one that it has, also if a shorter one became free.
pub(super) fn branch(transaction: &Transaction, name: &Name) -> Result<Place, PublishError> {
    let branch = name.kind.branch().expect("only the name of a branch is placed here");
    let project = name.project;
    place(transaction, name, &[HostLabel::branch(project, branch), HostLabel::branch_with_digest(project, branch)])
}

fn place(transaction: &Transaction, name: &Name, candidates: &[HostLabel]) -> Result<Place, PublishError> {
    match rows::pointer_of_name(transaction, name)? {
        Some(pointer) => Ok(Place { label: pointer.alias.label.clone(), seen: Some(pointer) }),
        None => first_free(transaction, candidates),
    }
}

fn first_free(transaction: &Transaction, candidates: &[HostLabel]) -> Result<Place, PublishError> {
    let mut taken = None;
    for label in candidates {
        match rows::pointer(transaction, label)? {
            None => return Ok(Place { label: label.clone(), seen: None }),
            Some(pointer) => {
                taken = Some(PublishError::LabelTaken { label: label.clone(), owner: LabelOwner::of(&pointer.alias) });
            }
        }
    }
    Err(taken.expect("every name has at least one candidate"))
}
