//! Whether there is anybody to run the tasks that are registered.

use rethread_runtime::NodeOptions;

/// Warns of each task whose queue the process does not serve. With a store of its own nobody
/// else can: such a call would wait for ever.
pub(crate) fn warn_of_unserved(options: &NodeOptions) {
    for (task, queue) in unserved(options) {
        tracing::warn!(
            task,
            queue,
            "the queue of this task is not served by this process, so calls wait for another \
             worker: name it among the queues (`EmbeddedOptions::queues`, setting \
             `worker_queues`, flag `--queue`)"
        );
    }
}

/// Tasks, each with its queue, that no worker of these options runs.
fn unserved(options: &NodeOptions) -> impl Iterator<Item = (&str, &str)> {
    options.registry.tasks().filter_map(|task| {
        let queue = &task.options().queue;
        let is_served = options.workers.iter().any(|pool| pool.queue == *queue);
        (!is_served).then(|| (task.name(), queue.as_str()))
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rethread_sdk::{Error, Task};
    use rethread_storage::memory::MemoryStorage;

    use super::*;
    use crate::embedded::{node_options, with_workers};
    use crate::{App, Settings};

    #[test]
    fn a_task_of_a_queue_that_nobody_serves_is_found() {
        let task = |name| Task::new(name, |(): ()| async { Ok::<_, Error>(()) });
        let app = App::new()
            .task(task("draw").queue("gpu"))
            .task(task("plain"))
            .task(task("slow").queue("batch"));
        let settings = Settings {
            worker_queues: vec!["default".into(), "batch".into()],
            ..Settings::default()
        };
        let storage = Arc::new(MemoryStorage::new(1));
        let options = node_options(app, storage, &settings).expect("valid");
        let options = with_workers(options, &settings).expect("valid");
        assert_eq!(unserved(&options).collect::<Vec<_>>(), [("draw", "gpu")]);
    }
}
