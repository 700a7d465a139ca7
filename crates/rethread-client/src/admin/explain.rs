//! From what is known of a thread to why it does not go on.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rethread_core::event::Interrupt;
use rethread_core::header::ThreadStatus;
use rethread_core::ids::{Millis, ThreadId};
use rethread_core::outlook::{OpenCallOutlook, Outlook, WaitsFor};

use crate::admin::situation::{Answer, PlacedOrder, Situation};
use crate::admin::{Admin, Explanation, Finding, FindingKind, OwnerInfo, span};
use crate::error::Result;

impl Admin {
    /// Says what a thread waits for: a person, a worker, a time, a coordinator, another run..
    ///
    /// Asks the coordinator of the thread, for up to five seconds, and looks at the queues and
    /// the workers. Changes nothing.
    ///
    /// # Errors
    /// [`ClientError::Storage`](crate::ClientError::Storage) when the storage cannot be reached,
    /// [`ClientError::InvalidId`](crate::ClientError::InvalidId) for a text that is no id.
    pub async fn explain(&self, thread: impl AsRef<str>) -> Result<Explanation> {
        let thread = self.client.thread_with_id(ThreadId::new(thread)?);
        let situation = self.situation(&thread).await?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(explain(&situation, Millis(u64::try_from(now.as_millis()).unwrap_or(u64::MAX))))
    }
}

/// Findings, the most telling first.
fn explain(situation: &Situation, now: Millis) -> Explanation {
    let outlook = match &situation.answer {
        Answer::Outlook(outlook) => Some(outlook),
        _ => None,
    };
    let header = situation.header.as_ref();
    let status = match outlook {
        Some(outlook) => outlook.status.as_ref(),
        None => header.map(|header| &header.status),
    };
    let mut findings: Vec<_> = coordinator(situation).into_iter().collect();
    match (status, outlook) {
        (Some(ThreadStatus::Running), Some(outlook)) => {
            findings.extend(running(situation, outlook, now));
        }
        (Some(status), _) => {
            let open = header.map(|header| header.asking.as_slice()).unwrap_or_default();
            findings.extend(resting(&situation.thread, status, open));
        }
        (None, _) => {
            let text = "it has never run, or was deleted";
            findings.push(Finding::new(FindingKind::NeverRan, text));
        }
    }
    if let Some(waiting) = outlook.map(|it| &it.waiting).filter(|waiting| !waiting.is_empty()) {
        let text = format!("{} further runs wait for this one to end", waiting.len());
        let mut finding = Finding::new(FindingKind::WaitingRuns, text)
            .advice("they start by themselves; `runs cancel --run <id>` takes one back");
        finding.run = waiting.first().copied();
        findings.push(finding);
    }
    findings.sort_by_key(|finding| finding.kind);
    if findings.is_empty() {
        let text = "its entrypoint computes, or waits for something that is not durable";
        findings.push(Finding::new(FindingKind::Body, text));
    }
    Explanation {
        thread: situation.thread.to_string(),
        partition: situation.partition,
        owner: situation.status.owner.as_ref().map(|holder| OwnerInfo {
            node: holder.node.to_string(),
            epoch: holder.epoch,
            expires_in_ms: holder.expires_in_ms,
        }),
        status: status.map(|status| status.name().to_owned()),
        run: outlook.and_then(|it| it.run).or(header.map(|header| header.run)),
        entrypoint: header.map(|header| header.entrypoint.clone()),
        findings,
    }
}

/// What keeps a coordinator from driving the thread.
fn coordinator(situation: &Situation) -> Option<Finding> {
    let (partition, inbox) = (situation.partition, situation.status.inbox);
    let finding = match &situation.answer {
        Answer::Outlook(_) => return None,
        Answer::Nobody => {
            let text = format!(
                "no coordinator owns partition {partition}, which it belongs to; {inbox} messages \
                 wait there"
            );
            Finding::new(FindingKind::NoOwner, text).advice(
                "start a coordinator of this namespace, or `dev` on the embedded store; `owners` \
                 shows who owns what",
            )
        }
        Answer::Silent(waited) => {
            let node = situation.status.owner.as_ref().map(|holder| holder.node.to_string());
            let text = format!(
                "node {} owns partition {partition} and has not answered for {}; {inbox} messages \
                 wait there",
                node.unwrap_or_default(),
                span(*waited)
            );
            Finding::new(FindingKind::OwnerSilent, text).advice(
                "see its log and its /readyz; if it hangs, stop it: another takes over when its \
                 lease has expired",
            )
        }
        Answer::Overloaded => {
            let text = format!("{inbox} messages wait in partition {partition}, more than may");
            Finding::new(FindingKind::Overloaded, text)
                .advice("wait, or start more coordinators; `owners` shows who owns what")
        }
        Answer::Refused(refusal) => Finding::new(FindingKind::Unloadable, refusal.to_string())
            .advice("see the log of its coordinator; restore the thread from a copy, or delete it"),
    };
    Some(finding)
}

/// What becomes of a thread without a run in progress, or of which only the header is known.
fn resting(thread: &ThreadId, status: &ThreadStatus, asking: &[Interrupt]) -> Vec<Finding> {
    let retry = format!("`runs retry {thread}` goes on from what is recorded");
    let finding = match status {
        ThreadStatus::Idle => {
            Finding::new(FindingKind::Idle, "nothing: its last run has completed")
        }
        ThreadStatus::Running => return questions(thread, asking),
        ThreadStatus::Interrupted(open) => return questions(thread, open),
        ThreadStatus::Failed(failure) => {
            let text = format!("its last run failed with {}: {}", failure.kind, failure.message);
            Finding::new(FindingKind::Failed, text).advice(format!("mend the reason, then {retry}"))
        }
        ThreadStatus::Parked(mismatch) => {
            let text = format!("its code no longer fits its journal: {mismatch}");
            Finding::new(FindingKind::Parked, text).advice(format!(
                "run code that makes the same calls, such as the version before, then {retry}"
            ))
        }
        ThreadStatus::Cancelled => {
            Finding::new(FindingKind::Cancelled, "its last run was cancelled").advice(retry)
        }
        ThreadStatus::Pending => {
            Finding::new(FindingKind::Pending, "an edit left an input that has not been run")
                .advice(format!("`runs retry {thread}` runs it"))
        }
        _ => Finding::new(FindingKind::Body, format!("it is {}", status.name())),
    };
    vec![finding]
}

fn questions(thread: &ThreadId, open: &[Interrupt]) -> Vec<Finding> {
    let question = |interrupt: &Interrupt| {
        let id = interrupt.id;
        let text = format!("question {id} waits for an answer of a person");
        let advice = format!("`runs resume {thread} --id {id} --answer <json>`");
        let mut finding = Finding::new(FindingKind::Question, text).advice(advice);
        finding.interrupt = Some(id);
        finding
    };
    open.iter().map(question).collect()
}

/// What a run in progress waits for.
fn running(situation: &Situation, outlook: &Outlook, now: Millis) -> Vec<Finding> {
    let mut findings = questions(&situation.thread, &outlook.questions);
    if let Some(stuck) = &outlook.stuck {
        let text = format!(
            "its replay stands at entry {} of {}: a body waits for something that is not durable \
             before it makes the calls that follow",
            stuck.position, stuck.entries
        );
        let advice = "look for waiting outside of tasks in the entrypoint; `local` marks it";
        findings.push(Finding::new(FindingKind::StuckReplay, text).advice(advice));
    }
    findings.extend(outlook.calls.iter().filter_map(|call| open_call(situation, call, now)));
    let hidden = outlook.calls_open.saturating_sub(outlook.calls.len());
    if hidden > 0 {
        findings.push(Finding::new(FindingKind::More, format!("{hidden} further calls are open")));
    }
    if outlook.awaits_local {
        let text = "a body waits for something in the process of its coordinator (`local`)";
        findings.push(Finding::new(FindingKind::Local, text));
    }
    findings
}

/// What an open call waits for; none where something else tells it.
fn open_call(situation: &Situation, call: &OpenCallOutlook, now: Millis) -> Option<Finding> {
    let what = format!("`{}`", path(call));
    let mut finding = match &call.waits_for {
        WaitsFor::Worker { queue, attempt } => {
            let order = situation.orders.iter().find(|it| it.order.target.call == call.call);
            let mut finding = match order {
                Some(order) => placed(situation, order, &what, queue.as_str(), &call.name),
                None => Finding::new(
                    FindingKind::OrderMissing,
                    format!(
                        "attempt {attempt} of task {what} is neither in queue {queue} nor with a \
                         worker: its report is under way, or the order is lost and ordered again \
                         within seconds"
                    ),
                ),
            };
            finding.queue = Some(queue.to_string());
            finding
        }
        WaitsFor::Place => Finding::new(
            FindingKind::ConcurrencyLimit,
            format!("task {what} waits until fewer tasks of the run are in flight"),
        )
        .advice("the limits are `max_concurrency` of the run and the setting `orders_max`"),
        WaitsFor::Retry { attempt, at } => {
            let text = format!("attempt {attempt} of task {what} starts {}", until(*at, now));
            let mut finding = Finding::new(FindingKind::Retry, text);
            finding.at = Some(*at);
            finding
        }
        WaitsFor::Time { at } => {
            let mut finding = Finding::new(
                FindingKind::Sleeping,
                format!("it sleeps, and wakes {}", until(*at, now)),
            );
            finding.at = Some(*at);
            finding
        }
        WaitsFor::Storage => {
            Finding::new(FindingKind::Storage, format!("{what} waits for the store or the cache"))
        }
        WaitsFor::Delivery => {
            Finding::new(FindingKind::Delivery, format!("the result of {what} is taken in next"))
        }
        // Told by the questions, by the calls of the body and by where the replay stands.
        WaitsFor::Answer | WaitsFor::Body | WaitsFor::Replay => return None,
        _ => Finding::new(FindingKind::Body, format!("{what} waits")),
    };
    finding.call = Some(call.call);
    finding.name = Some(call.name.clone());
    Some(finding)
}

/// What becomes of an order that is queued or with a worker.
fn placed(
    situation: &Situation,
    order: &PlacedOrder,
    what: &str,
    queue: &str,
    task: &str,
) -> Finding {
    let age = span(Duration::from_millis(order.age_ms));
    if let Some(worker) = &order.worker {
        let found = situation.workers.iter().find(|it| it.worker == *worker);
        let mut finding = match found.filter(|it| it.is_alive()) {
            Some(_) => Finding::new(
                FindingKind::Running,
                format!("task {what} was ordered {age} ago and is with worker {worker}"),
            ),
            None => {
                let silence =
                    found.map_or("has signed off or been silent for an hour".into(), |it| {
                        format!(
                            "has been silent for {}",
                            span(Duration::from_millis(it.silent_for_ms))
                        )
                    });
                let text = format!("task {what} is with worker {worker}, which {silence}");
                let advice = format!("a living worker of queue {queue} takes it over; start one");
                Finding::new(FindingKind::WorkerSilent, text).advice(advice)
            }
        };
        finding.worker = Some(worker.clone());
        return finding;
    }
    let serving: Vec<_> = situation
        .workers
        .iter()
        .filter(|worker| worker.is_alive() && worker.queues.contains_key(queue))
        .collect();
    // Workers that do not describe themselves may serve any queue.
    let is_unsure = situation.workers.iter().any(|it| it.is_alive() && it.version.is_none());
    if serving.is_empty() && !is_unsure {
        let text = format!("task {what} waits in queue {queue} for {age}; no worker serves it");
        let advice = format!("start a worker with `--queue {queue}`");
        return Finding::new(FindingKind::NoWorker, text).advice(advice);
    }
    let has_task = serving.iter().any(|worker| worker.tasks.iter().any(|name| name == task));
    if !has_task && !is_unsure {
        let text =
            format!("task {what} waits in queue {queue}; none of its workers has a task `{task}`");
        let advice = "deploy workers with the program that has it; `workers` lists what each has";
        return Finding::new(FindingKind::UnknownTask, text).advice(advice);
    }
    let text = format!(
        "task {what} waits in queue {queue} for {age}, behind {} others of its partition",
        order.before
    );
    let advice = format!("`queues` shows the depth of {queue}; more workers or slots drain it");
    Finding::new(FindingKind::Queued, text).advice(advice)
}

fn path(call: &OpenCallOutlook) -> String {
    let mut path = call.path.join(" > ");
    if !path.is_empty() {
        path.push_str(" > ");
    }
    path + &call.name
}

fn until(at: Millis, now: Millis) -> String {
    match at.0.checked_sub(now.0) {
        Some(left) if left > 0 => format!("in {}", span(Duration::from_millis(left))),
        _ => "now".to_owned(),
    }
}

#[cfg(test)]
mod tests;
