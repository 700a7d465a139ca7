//! `config`.

use clap::Subcommand;
use serde_json::json;

use super::{AdminFlags, Result};
use crate::app::App;
use crate::service::ServiceError;
use crate::storage;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ConfigCommand {
    /// Check the settings, the code and, where a Redis is named, that it can be used.
    Check(AdminFlags),
    /// Print every setting with the value it has. Passwords are not shown.
    Show(AdminFlags),
}

pub(super) async fn run(app: App, command: ConfigCommand) -> Result<()> {
    match command {
        ConfigCommand::Check(flags) => {
            let settings = flags.settings()?;
            let registry = app.registry().map_err(ServiceError::from)?;
            let tasks = registry.tasks().count();
            let durability = match settings.redis_url {
                // Opening connects and checks version, policy and durability.
                Some(_) => {
                    let storage = storage::open(&settings).await.map_err(ServiceError::from)?;
                    format!("{:?}", storage.durability()).to_lowercase()
                }
                None => "not opened".to_owned(),
            };
            let json = json!({ "is_ok": true, "storage": durability, "tasks": tasks });
            flags.output().show(&json, |_| {
                format!("settings are valid; storage: {durability}; {tasks} tasks registered")
            })
        }
        ConfigCommand::Show(flags) => {
            let settings = flags.store.settings()?;
            flags.output().show(&settings, |settings| {
                let shown = serde_json::to_value(settings).unwrap_or_default();
                let lines = shown.as_object().into_iter().flatten();
                lines.map(|(name, value)| format!("{name} = {value}\n")).collect()
            })
        }
    }
}
