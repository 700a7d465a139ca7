//! `rethread`: the gateway and the commands of operators, for a storage that services of any
//! application work on. It has none of their code, so it drives no threads and runs no tasks.

use std::process::ExitCode;

fn main() -> ExitCode {
    rethread::__private::operators_main()
}
