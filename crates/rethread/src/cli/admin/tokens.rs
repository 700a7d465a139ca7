//! `token`.

use std::time::Duration;

use clap::{Args, Subcommand};
use rethread_gateway::{Scope, TokenError, TokenInfo, TokenRequest, Tokens};
use serde_json::json;

use super::output::{ago, ahead, table};
use super::{AdminError, AdminFlags, Result};

/// A day, in seconds.
const DAY_S: u64 = 24 * 60 * 60;
/// How long a token works unless it is said.
const DEFAULT: Expiry = Expiry(Some(Duration::from_secs(90 * DAY_S)));

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum TokenCommand {
    /// Make a token for the HTTP API and print it. It cannot be shown again.
    Create(Create),
    /// List tokens, without what they are.
    List(AdminFlags),
    /// Revoke a token. Gateways follow within seconds.
    Revoke(Revoke),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Create {
    /// What it is for, shown in lists.
    #[arg(long)]
    name: Option<String>,
    /// Whose threads, assistants and items it shows: letters, digits, `-` and `_`. Tenants see
    /// nothing of each other. Default: the tenant of requests without a token.
    #[arg(long)]
    tenant: Option<String>,
    /// What it allows: `read` (look, search, follow), `write` (threads, runs and the store) and
    /// `admin` (assistants too, and everything else).
    #[arg(long = "scope", value_delimiter = ',', default_value = "read,write")]
    scopes: Vec<Scope>,
    /// How long it works, such as `30d`, `12h`, `15min`, or `never`.
    #[arg(long, value_name = "TIME", default_value_t = DEFAULT)]
    expires: Expiry,
    #[command(flatten)]
    flags: AdminFlags,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Revoke {
    /// Its id, from the list.
    id: String,
    #[command(flatten)]
    flags: AdminFlags,
}

/// How long a token works; none: until it is revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Expiry(Option<Duration>);

impl std::str::FromStr for Expiry {
    type Err = &'static str;

    fn from_str(text: &str) -> std::result::Result<Self, &'static str> {
        const FORM: &str = "give a number with a unit, such as 30d, 12h or 15min, or `never`";
        if text == "never" {
            return Ok(Self(None));
        }
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let number: u64 = number.parse().map_err(|_| FORM)?;
        let seconds = match unit {
            "s" => 1,
            "min" => 60,
            "h" => 60 * 60,
            "d" => DAY_S,
            _ => return Err(FORM),
        };
        match number.checked_mul(seconds) {
            Some(seconds) if seconds > 0 => Ok(Self(Some(Duration::from_secs(seconds)))),
            _ => Err(FORM),
        }
    }
}

impl std::fmt::Display for Expiry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0.map(|time| time.as_secs()) {
            None => f.write_str("never"),
            Some(seconds) if seconds % DAY_S == 0 => write!(f, "{}d", seconds / DAY_S),
            Some(seconds) => write!(f, "{seconds}s"),
        }
    }
}

pub(super) async fn run(command: TokenCommand) -> Result<()> {
    match command {
        TokenCommand::Create(args) => create(args).await,
        TokenCommand::List(flags) => list(&flags).await,
        TokenCommand::Revoke(Revoke { id, flags }) => {
            let place = flags.look().await?;
            let revoked = Tokens::new(place.client()).revoke(&id).await?;
            place.close().await?;
            if revoked.is_none() {
                let missing = format!("there is no token with the id {id}: see `token list`");
                return Err(AdminError::NotThere(missing));
            }
            flags.output().done(&format!("token {id} is revoked; gateways follow within seconds"))
        }
    }
}

async fn create(args: Create) -> Result<()> {
    let Create { name, tenant, scopes, expires, flags } = args;
    let mut request = TokenRequest::new(scopes);
    (request.name, request.tenant, request.expires_in) = (name, tenant, expires.0);
    let place = flags.make().await?;
    let created = Tokens::new(place.client()).create(request).await;
    place.close().await?;
    let created = created.map_err(|error| match error {
        TokenError::Client(error) => error.into(),
        error => AdminError::NotThere(error.to_string()),
    })?;
    let json = json!({ "token": created.reveal(), "info": created.info });
    flags.output().show(&json, |_| {
        eprintln!("token {} is made; keep it safe, it cannot be shown again:", created.info.id);
        created.reveal().to_owned()
    })
}

async fn list(flags: &AdminFlags) -> Result<()> {
    let place = flags.look().await?;
    let tokens = Tokens::new(place.client()).list().await?;
    flags.output().show(&tokens, |tokens| {
        let heads = ["ID", "NAME", "TENANT", "SCOPES", "MADE", "EXPIRES"];
        table(&heads, tokens.iter().map(row).collect(), "no tokens\n")
    })?;
    place.close().await
}

fn row(token: &TokenInfo) -> Vec<String> {
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let scopes: Vec<_> = token.scopes.iter().map(Scope::to_string).collect();
    let expires = match token.expires_at_ms {
        None => "never".to_owned(),
        Some(at) if token.is_expired => ago(at),
        Some(at) => ahead(at),
    };
    vec![
        token.id.clone(),
        or_dash(&token.name),
        or_dash(&token.tenant),
        scopes.join(","),
        ago(token.created_at_ms),
        expires,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit() {
        let seconds = |s| Ok(Expiry(Some(Duration::from_secs(s))));
        for (text, expected) in [
            ("30d", seconds(2_592_000)),
            ("12h", seconds(43_200)),
            ("15min", seconds(900)),
            ("1s", seconds(1)),
            ("never", Ok(Expiry(None))),
        ] {
            assert_eq!(text.parse(), expected, "{text}");
        }
        for text in ["", "30", "d", "0d", "-1d", "1.5h", "30 d", "99999999999999999999d"] {
            assert!(text.parse::<Expiry>().is_err(), "{text}");
        }
        assert_eq!(DEFAULT.to_string(), "90d");
        assert_eq!(DEFAULT.to_string().parse(), Ok(DEFAULT));
    }
}
