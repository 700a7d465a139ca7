extern crate rethread_sdk as rethread;

use rethread::prelude::*;
use serde::{Deserialize, Serialize};

struct Tenant;

mod shop {
    use super::{Deserialize, Serialize};

    #[derive(Serialize, Deserialize)]
    pub struct Store {
        pub name: String,
    }
}

#[task]
async fn not_read(tenant: Context<Tenant>) -> Result<bool> {
    Ok(tenant.is_some())
}

#[task]
async fn not_shared(counter: Dep<std::cell::Cell<u8>>) -> Result<u8> {
    Ok(counter.get())
}

#[task]
async fn not_the_store(store: shop::Store) -> Result<String> {
    Ok(store.name)
}

fn main() {}
