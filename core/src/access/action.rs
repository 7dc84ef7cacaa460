//! What can be done through the control API, and the least role that may.

use std::fmt;

use super::Role;

/// Declares the actions, each with its word, its least role and what it does to the host.
macro_rules! actions {
    ($($(#[doc = $meaning:literal])+ $action:ident = $word:literal, $role:ident, $effect:ident;)+) => {
        /// Something that can be done through the control API. Every route is one of them.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum Action {
            $($(#[doc = $meaning])+ $action,)+
        }

        impl Action {
            /// Every action.
            pub const ALL: &[Self] = &[$(Self::$action),+];

            /// The word used on the wire, in the audit log and in documentation: what it is done to, and what is done.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$action => $word,)+
                }
            }

            /// The least role that may.
            pub const fn least_role(self) -> Role {
                match self {
                    $(Self::$action => Role::$role,)+
                }
            }

            /// What it does to the host.
            pub const fn effect(self) -> Effect {
                match self {
                    $(Self::$action => Effect::$effect,)+
                }
            }
        }
    };
}

/// What an action does to the host.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Effect {
    /// Nothing changes, so nothing needs to be remembered.
    Reads,
    /// Something changes, or something that is secret is shown: it stands in the audit log.
    Noted,
}

actions! {
    /// See who one is oneself.
    WhoAmI = "self.read", Viewer, Reads;
    /// Have a browser logged in to the dashboard, as oneself.
    OpenSession = "session.create", Viewer, Noted;
    /// See the projects.
    ReadProjects = "project.read", Viewer, Reads;
    /// See the deployments.
    ReadDeployments = "deployment.read", Viewer, Reads;
    /// Read logs.
    ReadLogs = "log.read", Viewer, Reads;
    /// See what was counted of a project over time.
    ReadHistory = "history.read", Viewer, Reads;
    /// Send content. Nothing of it is visible until a deployment names it, and that is noted.
    WriteBlobs = "blob.write", Deployer, Reads;
    /// Say once how a deployment came to be. Its publishing is noted.
    DescribeBuild = "build.write", Deployer, Reads;
    /// Publish a deployment. The first makes the project.
    Publish = "deployment.publish", Deployer, Noted;
    /// Move production forward.
    Promote = "production.promote", Deployer, Noted;
    /// Move production back.
    RollBack = "production.rollback", Deployer, Noted;
    /// Remove a deployment.
    RemoveDeployment = "deployment.remove", Admin, Noted;
    /// Remove a project with all that it has.
    RemoveProject = "project.remove", Admin, Noted;
    /// See who may see a project's sites.
    ReadProtection = "protection.read", Viewer, Reads;
    /// Change who may see a project's sites.
    SetProtection = "protection.set", Admin, Noted;
    /// See which variables a project has, without their values.
    ListVariables = "env.list", Viewer, Reads;
    /// Read the values of variables that were set to be readable. The others nobody can read.
    ReadVariables = "env.read", Deployer, Noted;
    /// Set a variable.
    SetVariable = "env.set", Admin, Noted;
    /// Remove a variable.
    RemoveVariable = "env.remove", Admin, Noted;
    /// See which names of the world lead to projects.
    ReadDomains = "domain.read", Viewer, Reads;
    /// Claim a name for a project.
    AddDomain = "domain.add", Admin, Noted;
    /// Have a name proved, and served.
    VerifyDomain = "domain.verify", Admin, Noted;
    /// Give a name up.
    RemoveDomain = "domain.remove", Admin, Noted;
    /// See which tokens there are. No token is ever shown.
    ReadTokens = "token.read", Admin, Reads;
    /// Make a token, which is good for no more than one's own.
    CreateToken = "token.create", Admin, Noted;
    /// Remove a token.
    RemoveToken = "token.remove", Admin, Noted;
    /// See which jobs of others' platforms are trusted.
    ReadTrusts = "trust.read", Admin, Reads;
    /// Trust jobs of a platform with what one may oneself.
    AddTrust = "trust.add", Admin, Noted;
    /// Trust them no longer, and end the tokens that they have.
    RemoveTrust = "trust.remove", Admin, Noted;
    /// See who waits to log in.
    ReadLogins = "login.read", Admin, Reads;
    /// Let somebody log in.
    ApproveLogin = "login.approve", Admin, Noted;
    /// Read the audit log.
    ReadAudit = "audit.read", Admin, Reads;
    /// Have everything read again that the host keeps. What is damaged is set aside, as by whoever reads it. Not noted, since it
    /// must work where nothing can be written any more.
    Examine = "host.examine", Admin, Reads;
    /// Have what nobody needs removed.
    CollectGarbage = "garbage.collect", Admin, Noted;
    /// See what the host is and runs.
    ReadStatus = "host.read", Admin, Reads;
    /// Read what the host counts.
    ReadMetrics = "metrics.read", Admin, Reads;
    /// Have another process take over from the host.
    UpgradeHost = "host.upgrade", Admin, Noted;
    /// Copy everything that the host keeps, tokens' hashes and keys of certificates included.
    BackUp = "host.backup", Admin, Noted;
    /// End the host.
    StopHost = "host.stop", Admin, Noted;
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each action has a word of its own.
    #[test]
    fn words() {
        let mut words: Vec<&str> = Action::ALL.iter().map(|action| action.as_str()).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), Action::ALL.len());
    }
}
