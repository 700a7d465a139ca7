//! The scripts on a real server against the memory adapter, by random sequences of operations.
//!
//! `cargo test -p rethread-redis --test differential -- --sequences 10000 --seed 1`

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rethread_redis::testing::RedisServer;
use rethread_redis::{RedisOptions, RedisStorage};
use rethread_storage::Storage;
use rethread_storage::conformance::differential::{Campaign, PARTITIONS_USED};

#[tokio::main]
async fn main() -> ExitCode {
    let server = RedisServer::start();
    let next = AtomicU64::new(1);
    let storage = async || {
        let namespace = format!("n{}", next.fetch_add(1, Ordering::Relaxed));
        let options =
            RedisOptions::new(server.url()).namespace(namespace).partitions(PARTITIONS_USED);
        let storage = RedisStorage::connect(options).await.expect("connects");
        (Arc::new(storage) as Arc<dyn Storage>, ())
    };
    let campaign = Campaign::from_arguments(Campaign { sequences: 50, seed: 1 });
    match campaign.run(storage).await {
        Ok(()) => {
            println!("{campaign:?}: the answers are the same");
            ExitCode::SUCCESS
        }
        Err(difference) => {
            println!("{difference}");
            ExitCode::FAILURE
        }
    }
}
