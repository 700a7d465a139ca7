use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Scope {
    /// To look at assistants, threads, runs and the store, and to follow streams.
    Read,
    /// To make, change and remove threads, runs and items of the store.
    Write,
    /// To make, change and remove assistants, and everything that the others allow.
    Admin,
}

impl Scope {
    const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Admin];

    fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }

    /// Whether one of these scopes is enough where `self` is needed.
    pub(super) fn is_met_by(self, scopes: &[Self]) -> bool {
        scopes.iter().any(|scope| *scope == self || *scope == Self::Admin)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that names no scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no scope: use read, write or admin")]
pub struct UnknownScope(String);

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        let named = Self::ALL.into_iter().find(|scope| scope.name() == text);
        named.ok_or_else(|| UnknownScope(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_admin_stands_for_others() {
        for scope in Scope::ALL {
            assert!(scope.is_met_by(&[Scope::Admin]) && scope.is_met_by(&[scope]));
            assert!(!scope.is_met_by(&[]));
            assert_eq!(scope.to_string().parse(), Ok(scope));
        }
        assert!(!Scope::Read.is_met_by(&[Scope::Write]));
        assert!(!Scope::Write.is_met_by(&[Scope::Read]));
        assert!(!Scope::Admin.is_met_by(&[Scope::Read, Scope::Write]));
        let error = "all".parse::<Scope>().expect_err("no scope");
        assert_eq!(error.to_string(), "`all` is no scope: use read, write or admin");
    }
}
