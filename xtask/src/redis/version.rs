//! The version a server reports of itself.

use std::fmt;

use crate::Result;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version {
    pub(super) major: u32,
    pub(super) minor: u32,
}

impl Version {
    /// Reads the answer to `--version`: `Redis server v=7.0.15 sha=..` or `Valkey server v=8.0.1 ..`.
    pub(super) fn parse(answer: &str) -> Result<Self> {
        let read = || {
            let mut numbers = answer.split_once(" v=")?.1.split(['.', ' ']);
            Some(Self {
                major: numbers.next()?.parse().ok()?,
                minor: numbers.next()?.parse().ok()?,
            })
        };
        read().ok_or_else(|| format!("`{}` is not a version of Redis or Valkey", answer.trim()))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_redis_and_valkey() {
        let redis = "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64\n";
        assert_eq!(Version::parse(redis), Ok(Version { major: 7, minor: 0 }));
        let valkey = "Valkey server v=8.1.3 sha=00000000:0 malloc=libc bits=64";
        assert_eq!(Version::parse(valkey), Ok(Version { major: 8, minor: 1 }));
        assert!(Version::parse("rustc 1.95.0").is_err());
    }

    #[test]
    fn orders_by_number() {
        let of = |major, minor| Version { major, minor };
        assert!(of(6, 2) < of(7, 0) && of(7, 2) < of(7, 10) && of(7, 10) < of(10, 0));
    }
}
