//! Programs for clients of the HTTP API, and a page that chats with one of them.
//!
//! ```sh
//! cargo run --release --example platform -- dev --http 127.0.0.1:8123
//! cargo run --release --example platform -- dev --http 127.0.0.1:8123 --redis redis://127.0.0.1/
//! ```
//!
//! Or as processes of their own, each started as often as wanted:
//!
//! ```sh
//! cargo run --release --example platform -- coordinator --redis redis://127.0.0.1/
//! cargo run --release --example platform -- worker --redis redis://127.0.0.1/
//! cargo run --release --example platform -- gateway --http 127.0.0.1:8123 --redis redis://127.0.0.1/
//! ```
//!
//! The page, once it is built; it prints its address:
//!
//! ```sh
//! cargo xtask chat
//! cargo run --release --example platform -- chat
//! ```

mod page;
mod programs;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    match args.next().as_deref() {
        Some("chat") => page::serve(args.next()),
        _ => programs::app().main(),
    }
}
