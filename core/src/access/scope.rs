//! The scope of a token: a role, and where it holds.

use super::Role;
use crate::name::ProjectName;

/// Which projects somebody has to do with.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ProjectScope {
    /// Every project, also those that are yet to come, and the host itself.
    All,
    /// One project, whether it exists already or not.
    One(ProjectName),
}

impl ProjectScope {
    /// Whether a project is among them.
    pub fn holds(&self, project: &ProjectName) -> bool {
        self.only().is_none_or(|only| only == project)
    }

    /// Whether all of `other` is among them.
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::All, _) => true,
            (Self::One(_), Self::All) => false,
            (Self::One(own), Self::One(other)) => own == other,
        }
    }

    /// The one project, if it is one.
    pub const fn only(&self) -> Option<&ProjectName> {
        match self {
            Self::All => None,
            Self::One(project) => Some(project),
        }
    }
}

impl From<Option<ProjectName>> for ProjectScope {
    fn from(project: Option<ProjectName>) -> Self {
        project.map_or(Self::All, Self::One)
    }
}

/// What a token is good for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Scope {
    /// How much.
    pub role: Role,
    /// Where.
    pub projects: ProjectScope,
}

impl Scope {
    /// Whether everything that `other` is good for is in this one too. Nobody gives away more than they have.
    pub fn covers(&self, other: &Self) -> bool {
        self.role >= other.role && self.projects.covers(&other.projects)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A scope covers itself and what is smaller in role, in projects or in both, and nothing else.
    #[test]
    fn covering() {
        let one = |name: &str| ProjectScope::One(name.parse().unwrap());
        let places = [ProjectScope::All, one("blue"), one("red")];
        for role in Role::ALL {
            for place in &places {
                let scope = Scope { role, projects: place.clone() };
                for other_role in Role::ALL {
                    for other_place in &places {
                        let other = Scope { role: other_role, projects: other_place.clone() };
                        let expected = role >= other_role && (*place == ProjectScope::All || place == other_place);
                        assert_eq!(scope.covers(&other), expected, "{scope:?} {other:?}");
                    }
                }
            }
        }
        assert!(one("blue").holds(&"blue".parse().unwrap()) && !one("blue").holds(&"red".parse().unwrap()));
    }
}
