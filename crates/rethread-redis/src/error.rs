//! What a failure of Redis means to the caller of the port.

use redis::{ErrorKind, RedisError, ServerError};
use rethread_storage::StorageError;

/// Whether a command changes data: decides what a lost answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    Read,
    Write,
}

/// Whether the connection ended, be it in the middle of an answer, of which the beginning cannot
/// be parsed.
pub(crate) fn is_cut(error: &RedisError) -> bool {
    error.is_connection_dropped() || error.kind() == ErrorKind::Parse
}

/// A command that was sent, or may have been, and got no answer.
pub(crate) fn unanswered(error: &RedisError, effect: Effect, address: &str) -> StorageError {
    let reason = format!("no answer from Redis at {address}: {error}");
    match (error.kind(), effect) {
        (ErrorKind::Io | ErrorKind::Parse, Effect::Read) => StorageError::Unavailable { reason },
        (ErrorKind::UnexpectedReturnType, Effect::Read) => {
            StorageError::Corrupt { what: format!("answer of Redis at {address}"), reason }
        }
        (ErrorKind::InvalidClientConfig | ErrorKind::AuthenticationFailed, _) => {
            StorageError::Config { reason }
        }
        _ if error.code().is_some() => {
            refusal(error.code().unwrap_or_default(), &error.to_string(), address)
        }
        (_, Effect::Read) => StorageError::Unavailable { reason },
        (_, Effect::Write) => StorageError::Unknown { reason },
    }
}

/// A connection that was not made: nothing was sent.
pub(crate) fn unreachable(error: &RedisError, address: &str) -> StorageError {
    match error.kind() {
        ErrorKind::AuthenticationFailed => StorageError::Config {
            reason: format!(
                "Redis at {address} refused the login: put the right user and password into its url ({error})"
            ),
        },
        ErrorKind::RESP3NotSupported => StorageError::Config {
            reason: format!("Redis at {address} is too old: 7.0 or later, or Valkey, is needed"),
        },
        ErrorKind::InvalidClientConfig => StorageError::Config {
            reason: format!("cannot connect to Redis at {address}: {error}"),
        },
        _ => match error.code() {
            Some(code) => refusal(code, &error.to_string(), address),
            None => StorageError::Unavailable {
                reason: format!(
                    "cannot reach Redis at {address}: {error}; start the server or correct its url"
                ),
            },
        },
    }
}

/// A command that the server refused.
pub(crate) fn refused(error: &ServerError, address: &str) -> StorageError {
    let text = match error.details() {
        Some(details) => format!("{} {details}", error.code()),
        None => error.code().to_owned(),
    };
    refusal(error.code(), &text, address)
}

fn refusal(code: &str, text: &str, address: &str) -> StorageError {
    match code {
        "OOM" => StorageError::Full {
            reason: format!(
                "Redis at {address} has used all of its maxmemory: raise it or delete threads"
            ),
        },
        "MISCONF" => StorageError::Full {
            reason: format!("Redis at {address} cannot write to its disk: {text}"),
        },
        "WRONGTYPE" => StorageError::Corrupt {
            what: format!("data in Redis at {address}"),
            reason: text.into(),
        },
        "MOVED" | "ASK" | "CROSSSLOT" => StorageError::Config {
            reason: format!(
                "Redis at {address} is a node of a cluster: put redis+cluster:// into its url ({text})"
            ),
        },
        "NOAUTH" | "WRONGPASS" | "NOPERM" => StorageError::Config {
            reason: format!(
                "Redis at {address} does not permit it: put a user with all rights on keys and channels `rt:*` into its url ({text})"
            ),
        },
        // A script that met something that it does not know: our data is not as we write it.
        "ERR" if text.contains("script") => StorageError::Corrupt {
            what: format!("data in Redis at {address}"),
            reason: text.into(),
        },
        // LOADING, READONLY, MASTERDOWN, BUSY, CLUSTERDOWN, NOREPLICAS and their like: the
        // command was not run, and may be later.
        _ => StorageError::Unavailable { reason: format!("Redis at {address} refused: {text}") },
    }
}

/// An answer that does not have the form that was asked for.
pub(crate) fn malformed(what: &str, reason: impl Into<String>) -> StorageError {
    StorageError::Corrupt { what: what.to_owned(), reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use std::io;

    use redis::ParsingError;

    use super::*;

    #[test]
    fn a_lost_answer_is_unknown_for_writes_only() {
        let lost = RedisError::from(io::Error::from(io::ErrorKind::BrokenPipe));
        // The connection ended in the middle of it.
        let part = RedisError::from(ParsingError::from("Unexpected end of input"));
        for error in [lost, part] {
            assert!(is_cut(&error), "{error}");
            let read = unanswered(&error, Effect::Read, "a:1");
            assert!(matches!(read, StorageError::Unavailable { .. }), "{read}");
            let write = unanswered(&error, Effect::Write, "a:1");
            assert!(matches!(write, StorageError::Unknown { .. }), "{write}");
        }
    }

    #[test]
    fn refusals_say_what_the_caller_does_next() {
        for code in ["LOADING", "READONLY", "MASTERDOWN", "BUSY", "CLUSTERDOWN", "TRYAGAIN"] {
            assert!(
                matches!(refusal(code, code, "a:1"), StorageError::Unavailable { .. }),
                "{code}"
            );
        }
        assert!(matches!(refusal("OOM", "", "a:1"), StorageError::Full { .. }));
        assert!(matches!(refusal("MISCONF", "", "a:1"), StorageError::Full { .. }));
        assert!(matches!(refusal("WRONGTYPE", "", "a:1"), StorageError::Corrupt { .. }));
        assert!(matches!(refusal("NOAUTH", "", "a:1"), StorageError::Config { .. }));
    }
}
