//! Who may do what: the one decision that every route of the control API passes through.

use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use ship_core::{Action, ProjectName, ProjectScope, Scope};
use ship_store::{AuditEntry, AuditOutcome};

use crate::keyring::Key;

/// Whoever asks: a token that the host knows, and from where it was sent.
#[derive(Clone, Debug)]
pub(crate) struct Actor {
    /// Its token.
    pub(crate) key: Arc<Key>,
    /// The other end of the connection.
    pub(crate) peer: IpAddr,
}

impl Actor {
    /// What it may do, and where.
    pub(crate) fn scope(&self) -> &Scope {
        &self.key.token.scope
    }

    /// What stands in the audit log of what it does.
    pub(crate) fn entry(&self, action: Action, project: Option<ProjectName>, outcome: AuditOutcome) -> AuditEntry {
        AuditEntry {
            at: Timestamp::now(),
            token: Some((self.key.token.id.clone(), self.key.token.name.clone())),
            peer: Some(self.peer),
            action: action.as_str(),
            project,
            resource: None,
            outcome,
            code: None,
        }
    }

    /// Returns when the actor's token is good for nothing any more: it was removed, or its time is over.
    pub(crate) async fn ended(self) {
        let left = self.key.token.expires_at.map(|end| end.duration_since(Timestamp::now()));
        let expired = async {
            match left {
                Some(left) => tokio::time::sleep(left.try_into().unwrap_or_default()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = expired => {}
            () = self.key.removed.cancelled() => {}
        }
    }

    /// The projects that it has to do with.
    pub(crate) fn projects(&self) -> &ProjectScope {
        &self.scope().projects
    }
}

/// What somebody wants to do something to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Resource {
    /// The host, and what all its projects share.
    Host,
    /// A project and all that it has.
    Project(ProjectName),
    /// Whatever of its kind is the actor's: the route answers with that and with nothing of others.
    Own,
}

/// Why somebody may not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Denied {
    /// For this actor there is no such thing, whether there is or not.
    Hidden,
    /// It is known to the actor, and too much for its role or its projects.
    Forbidden,
}

/// Decides whether somebody may do something to something. It looks at nothing but its arguments, so it takes as long for a
/// project that exists as for one that does not.
pub(crate) fn authorize(actor: &Actor, action: Action, resource: &Resource) -> Result<(), Denied> {
    let scope = actor.scope();
    match resource {
        Resource::Project(project) if !scope.projects.holds(project) => return Err(Denied::Hidden),
        Resource::Host if scope.projects != ProjectScope::All => return Err(Denied::Forbidden),
        Resource::Host | Resource::Project(_) | Resource::Own => {}
    }
    if scope.role >= action.least_role() { Ok(()) } else { Err(Denied::Forbidden) }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use ship_core::Role;
    use ship_store::TokenRecord;

    use super::*;

    fn actor(role: Role, project: Option<&str>) -> Actor {
        let projects = project.map(|name| name.parse().unwrap()).into();
        let token = TokenRecord {
            id: "0123456789".parse().unwrap(),
            hash: [0; 32],
            name: "somebody".parse().unwrap(),
            scope: Scope { role, projects },
            created_at: Timestamp::UNIX_EPOCH,
            created_by: None,
            trust: None,
            expires_at: None,
            last_used_at: None,
        };
        Actor { key: Arc::new(Key::new(token)), peer: Ipv4Addr::LOCALHOST.into() }
    }

    /// For every action: nobody reaches another project or, with a token for one project, the host; and no role does what is
    /// meant for a larger one.
    #[test]
    fn every_action() {
        let blue = Resource::Project("blue".parse().unwrap());
        let red = Resource::Project("red".parse().unwrap());
        for action in Action::ALL.iter().copied() {
            for role in Role::ALL {
                let by_role = if role >= action.least_role() { Ok(()) } else { Err(Denied::Forbidden) };
                let everywhere = actor(role, None);
                for resource in [&blue, &red, &Resource::Host, &Resource::Own] {
                    assert_eq!(authorize(&everywhere, action, resource), by_role, "{action} {role} {resource:?}");
                }
                let of_blue = actor(role, Some("blue"));
                assert_eq!(authorize(&of_blue, action, &blue), by_role, "{action} {role}");
                assert_eq!(authorize(&of_blue, action, &Resource::Own), by_role, "{action} {role}");
                assert_eq!(authorize(&of_blue, action, &red), Err(Denied::Hidden), "{action} {role}");
                assert_eq!(authorize(&of_blue, action, &Resource::Host), Err(Denied::Forbidden), "{action} {role}");
            }
        }
    }
}
