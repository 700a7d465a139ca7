use std::fs::File;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;

use crate::Failure;

/// Longest time until the server is ready.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server with an empty directory; it ends when it is dropped.
pub(crate) struct Server {
    child: Child,
    _directory: TempDir,
    ingress: String,
    admin: String,
}

impl Server {
    pub(crate) async fn start(program: &str, partitions: Option<u32>) -> Result<Self, Failure> {
        let directory = TempDir::new()?;
        let (node, ingress, admin) = (free_port()?, free_port()?, free_port()?);
        let mut command = Command::new(program);
        command
            .arg("--no-logo")
            .env("RESTATE_BASE_DIR", directory.path())
            .env("RESTATE_NODE_NAME", "bench")
            .env("RESTATE_LISTEN_MODE", "tcp")
            .env("RESTATE_BIND_IP", "127.0.0.1")
            .env("RESTATE_BIND_PORT", node.to_string())
            .env("RESTATE_INGRESS__BIND_PORT", ingress.to_string())
            .env("RESTATE_ADMIN__BIND_PORT", admin.to_string())
            .env("RESTATE_DISABLE_TELEMETRY", "true")
            .env("RESTATE_LOG_FILTER", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(directory.path().join("log"))?);
        if let Some(partitions) = partitions {
            command.env("RESTATE_DEFAULT_NUM_PARTITIONS", partitions.to_string());
        }
        let server = Self {
            child: command.spawn()?,
            _directory: directory,
            ingress: format!("http://127.0.0.1:{ingress}"),
            admin: format!("http://127.0.0.1:{admin}"),
        };
        for url in
            [format!("{}/health", server.admin), format!("{}/restate/health", server.ingress)]
        {
            until_answered(&url).await?;
        }
        Ok(server)
    }

    pub(crate) fn ingress(&self) -> &str {
        &self.ingress
    }

    /// Makes the services at an address known.
    pub(crate) async fn register(&self, services: &str) -> Result<(), Failure> {
        let url = format!("{}/deployments", self.admin);
        let request = reqwest::Client::new().post(url).json(&json!({ "uri": services }));
        request.send().await?.error_for_status()?;
        // Partitions hear of it a moment later.
        let url = format!("{}/Bench/noop", self.ingress);
        let begun = Instant::now();
        loop {
            let request = reqwest::Client::new().post(&url).json(&"").send().await?;
            match request.error_for_status() {
                Ok(_) => return Ok(()),
                Err(error) if begun.elapsed() > PATIENCE => return Err(error.into()),
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn until_answered(url: &str) -> Result<(), Failure> {
    let begun = Instant::now();
    loop {
        match reqwest::get(url).await.and_then(reqwest::Response::error_for_status) {
            Ok(_) => return Ok(()),
            Err(error) if begun.elapsed() > PATIENCE => return Err(error.into()),
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
