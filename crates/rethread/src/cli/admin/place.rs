//! Where commands of operators work.

use std::sync::Arc;

use rethread_client::admin::Admin;
use rethread_client::{Client, StorageError};
use rethread_storage::Storage;

use super::{AdminError, Result};
use crate::app::App;
use crate::embedded::Embedded;
use crate::service::ServiceError;
use crate::settings::Settings;
use crate::storage;

/// An open store, with an engine if it is ours alone and something is to be changed.
#[derive(Debug)]
pub(super) struct Place {
    client: Client,
    engine: Option<Embedded>,
    /// Whether others may be working on the store.
    is_shared: bool,
}

impl Place {
    /// Opens the store, making it where there is none yet.
    pub(super) async fn make(settings: &Settings) -> Result<Self> {
        if settings.redis_url.is_none() {
            let made = std::fs::create_dir_all(&settings.data_dir);
            made.map_err(ServiceError::from)?;
        }
        Self::look(settings).await
    }

    pub(super) async fn look(settings: &Settings) -> Result<Self> {
        let storage = open(settings).await?;
        let client = Client::from_storage_with(storage, settings.client_options());
        Ok(Self { client, engine: None, is_shared: settings.redis_url.is_some() })
    }

    pub(super) async fn change(app: App, settings: &Settings) -> Result<Self> {
        if settings.redis_url.is_some() {
            return Self::look(settings).await;
        }
        let registry = app.clone().registry().map_err(ServiceError::from)?;
        if registry.entrypoint_names().next().is_none() {
            // An engine without their code would give up the runs in progress.
            return Err(AdminError::NotThere(
                "the embedded store is changed by the program whose runs are in it: use this \
                 command of that program"
                    .to_owned(),
            ));
        }
        let storage = open(settings).await?;
        // Without workers: a command changes what it is asked to change, and runs no task.
        let engine = Embedded::coordinating(app, storage, settings).await?;
        let client = engine.client().clone();
        Ok(Self { client, engine: Some(engine), is_shared: false })
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn admin(&self) -> Admin {
        self.client.admin()
    }

    /// Whether services may be working on the store.
    pub(super) fn is_shared(&self) -> bool {
        self.is_shared
    }

    pub(super) async fn close(self) -> Result<()> {
        let Self { engine, client, .. } = self;
        drop(client);
        match engine {
            Some(engine) => Ok(engine.shutdown().await?),
            None => Ok(()),
        }
    }
}

async fn open(settings: &Settings) -> Result<Arc<dyn Storage>> {
    let directory = settings.data_dir.display();
    if settings.redis_url.is_none() && !settings.data_dir.is_dir() {
        return Err(AdminError::NotThere(format!(
            "there is no embedded store in {directory}: name its directory with --data, or a \
             Redis with --redis or RETHREAD_REDIS_URL"
        )));
    }
    match storage::open(settings).await {
        Ok(storage) => Ok(storage),
        Err(StorageError::Locked { .. }) => Err(AdminError::NotThere(format!(
            "an engine has the embedded store in {directory} open: commands work on it while none \
             has; stop that one, or look at its own /metrics and log"
        ))),
        Err(error) => Err(ServiceError::from(error).into()),
    }
}
