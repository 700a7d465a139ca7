//! One file for each topic. Nothing is counted in the memory of a process, so any number of
//! workers agree.

pub(crate) mod boom;
pub(crate) mod cached;
pub(crate) mod chat;
pub(crate) mod essay;
pub(crate) mod flaky;
pub(crate) mod memory;
pub(crate) mod numbers;
pub(crate) mod questions;
pub(crate) mod slow;
mod starts;
pub(crate) mod totals;

use rethread::App;

/// All programs. The names of the entrypoints are what clients ask for.
pub(crate) fn app() -> App {
    App::new()
        .entrypoint(essay::essay::def())
        .task(essay::write_essay::def())
        .entrypoint(numbers::add_numbers::def())
        .entrypoint(numbers::parent::def())
        .entrypoint(numbers::child::def())
        .task(numbers::add_one::def())
        .task(numbers::add_two::def())
        .entrypoint(flaky::flaky::def())
        .task(flaky::flaky_task::def())
        .entrypoint(cached::cached::def())
        .task(cached::slow_add::def())
        .entrypoint(totals::accumulate::def())
        .entrypoint(memory::memory_store::def())
        .entrypoint(slow::slow::def())
        .task(slow::tick::def())
        .entrypoint(questions::parallel_interrupts::def())
        .task(questions::ask::def())
        .entrypoint(boom::boom::def())
        .task(boom::explode::def())
        .entrypoint(chat::chat::def())
        .task(chat::say::def())
}
