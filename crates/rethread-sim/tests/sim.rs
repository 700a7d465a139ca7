//! Many worlds, each from a seed.

use std::process::ExitCode;

fn main() -> ExitCode {
    rethread_sim::main()
}
