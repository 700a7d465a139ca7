//! Runs random programs on real processes while faults happen, then checks what is left.

fn main() -> std::process::ExitCode {
    rethread_chaos::chaos_main()
}
