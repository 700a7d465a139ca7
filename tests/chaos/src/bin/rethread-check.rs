//! Checks the history that a run of `rethread-chaos` left behind.

fn main() -> std::process::ExitCode {
    rethread_chaos::check_main()
}
