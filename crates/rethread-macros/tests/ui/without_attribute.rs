extern crate rethread_sdk as rethread;

use rethread::prelude::*;

fn main() {
    let _ = Task::new("plain", |n: u64| async move { n });
    let _: Task<(u64,), u64> = Task::new("typed", |n: u64| async move { n });
    let _ = Entrypoint::new("body", |n: u64| async move { n });
}
