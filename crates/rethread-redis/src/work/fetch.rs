//! How workers take orders.

use std::sync::atomic::Ordering;
use std::time::Duration;

use redis::{Cmd, Value, cmd};
use rethread_core::ids::{QueueName, WorkerId};
use rethread_storage::{Delivery, Receipt, Result};
use tokio::time::Instant;

use super::assigned::{Expected, Worker};
use super::{PAGE, QUEUE, Stream, delivery, id_text};
use crate::error::{Effect, malformed};
use crate::lease::millis;
use crate::link::{After, is_refused_with};
use crate::{RedisStorage, reply, script};

impl RedisStorage {
    /// Takes from all streams at once, an equal share from each, and waits while they are empty.
    /// What the server counts is what it gives of each stream: so where there are more streams than
    /// free places, or a stream has more than its share, a script goes on, which can take an exact
    /// number over all.
    pub(crate) async fn take_orders(
        &self,
        name: &WorkerId,
        queues: &[QueueName],
        max: usize,
        wait: Duration,
    ) -> Result<Vec<Delivery>> {
        if queues.is_empty() || max == 0 {
            tokio::time::sleep(wait).await;
            return Ok(Vec::new());
        }
        let worker = self.workers().get(name);
        let doubts = worker.doubts(queues);
        if !doubts.is_empty() {
            let lost = self.find_lost(name, &worker, &doubts, max).await?;
            if !lost.is_empty() {
                return Ok(lost);
            }
        }
        let deadline = Instant::now() + wait;
        let mut streams = self.streams(queues);
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let first = turn % streams.len();
        streams.rotate_left(first);

        let gate = worker.gate.read().await;
        if self.link.is_cluster() {
            return self.take_spread(name, &worker, queues, &streams, max, deadline).await;
        }
        let share = max / streams.len();
        if wait.is_zero() || (share == 0 && worker.is_busy.load(Ordering::Relaxed)) {
            let deliveries = self.take_present(name, &worker, queues, &streams, max).await?;
            if !deliveries.is_empty() || wait.is_zero() {
                return Ok(deliveries);
            }
        }
        let expected = Expected::new(&worker, queues, wait + self.link.response_timeout());
        let mut deliveries = self.take_awaited(name, &streams, share.max(1), deadline).await?;
        worker.is_busy.store(deliveries.len() > 1, Ordering::Relaxed);
        let excess = deliveries.split_off(max.min(deliveries.len()));
        if !excess.is_empty() {
            // Several streams had orders at once. What cannot be given back now is found as lost
            // later.
            self.put_back(name, &streams, &excess).await?;
        }
        worker.note_delivered(&deliveries);
        expected.arrived();
        let rest: Vec<Stream> = exhausted(&streams, &deliveries, share);
        if !rest.is_empty() && deliveries.len() < max {
            let room = max - deliveries.len();
            // What is there is given out in any case.
            let more = self.take_present(name, &worker, queues, &rest, room).await;
            deliveries.extend(more.unwrap_or_default());
        }
        drop(gate);
        Ok(deliveries)
    }

    async fn take_present(
        &self,
        name: &WorkerId,
        worker: &Worker,
        queues: &[QueueName],
        streams: &[Stream],
        max: usize,
    ) -> Result<Vec<Delivery>> {
        let expected = Expected::new(worker, queues, self.link.response_timeout());
        let keys: Vec<&str> = streams.iter().map(|stream| &*stream.key).collect();
        let mut call = script::FETCH.call(&keys);
        call.arg(name.as_str()).arg(max);
        let answer = self.link.eval(&script::FETCH, &call, Effect::Write).await?;
        let mut deliveries = Vec::new();
        for (stream, entries) in streams.iter().zip(reply::array(answer, QUEUE)?) {
            for entry in reply::entries(entries, QUEUE)? {
                deliveries.push(delivery(stream, entry, 1));
            }
        }
        worker.note_delivered(&deliveries);
        expected.arrived();
        Ok(deliveries)
    }

    async fn take_awaited(
        &self,
        name: &WorkerId,
        streams: &[Stream],
        share: usize,
        deadline: Instant,
    ) -> Result<Vec<Delivery>> {
        loop {
            let wait = deadline.saturating_duration_since(Instant::now());
            if millis(wait) == 0 {
                return Ok(Vec::new());
            }
            let answer = self.link.wait(waiting_read(name, streams, share, wait), wait).await?;
            // A stream or its group was deleted: it is made again, and the wait goes on.
            if is_refused_with(&answer, "NOGROUP") || is_refused_with(&answer, "UNBLOCKED") {
                self.make_groups(streams).await?;
                continue;
            }
            return read_answer(self.link.checked(answer)?, streams);
        }
    }

    async fn make_groups(&self, streams: &[Stream]) -> Result<()> {
        let creates = streams.iter().map(|stream| {
            let mut create = cmd("XGROUP");
            create.arg("CREATE").arg(&*stream.key).arg("w").arg("0").arg("MKSTREAM");
            create
        });
        // Repeating it changes nothing, so it may be sent again like a read.
        let answers = self.link.run_all(creates.collect(), Effect::Read).await?;
        for answer in answers {
            if !is_refused_with(&answer, "BUSYGROUP") {
                self.link.checked(answer)?;
            }
        }
        Ok(())
    }

    pub(super) async fn put_back(
        &self,
        name: &WorkerId,
        streams: &[Stream],
        excess: &[Delivery],
    ) -> Result<()> {
        let calls = streams.iter().filter_map(|stream| {
            let mut ids = excess.iter().filter(|delivery| is_from(&delivery.receipt, stream));
            let mut call = script::GIVE_BACK.call(&[&*stream.key]);
            call.arg(name.as_str()).arg(id_text(ids.next()?.receipt.id));
            for delivery in ids {
                call.arg(id_text(delivery.receipt.id));
            }
            Some(call)
        });
        let answers =
            self.link.write_all(&script::GIVE_BACK, calls.collect(), After::NOTHING).await?;
        answers.into_iter().try_for_each(|answer| answer?.done().map(drop))
    }

    /// Delivers what the server assigned to the worker in answers that got lost.
    async fn find_lost(
        &self,
        name: &WorkerId,
        worker: &Worker,
        queues: &[QueueName],
        max: usize,
    ) -> Result<Vec<Delivery>> {
        let _gate = worker.gate.write().await;
        let began = Instant::now();
        let streams = self.streams(queues);
        let asks = streams.iter().map(|stream| {
            let mut ask = cmd("XPENDING");
            ask.arg(&*stream.key).arg("w").arg("-").arg("+").arg(PAGE * 10).arg(name.as_str());
            ask
        });
        let mut lost = Vec::new();
        let answers = self.link.run_all(asks.collect(), Effect::Read).await?;
        for (stream, answer) in streams.iter().zip(answers) {
            if is_refused_with(&answer, "NOGROUP") {
                continue;
            }
            for entry in reply::array(self.link.checked(answer)?, QUEUE)? {
                let mut parts = reply::array(entry, QUEUE)?.into_iter();
                let id = reply::stream_id(parts.next().unwrap_or_default(), QUEUE)?;
                let times = reply::number(parts.nth(2).unwrap_or_default(), QUEUE)?;
                let receipt =
                    Receipt { partition: stream.partition, queue: stream.queue.clone(), id };
                if !worker.was_delivered(&receipt) {
                    lost.push((stream, id, times));
                }
            }
        }
        let is_all = lost.len() <= max;
        lost.truncate(max);
        // The body was never started, so this does not count as another fetch.
        let claims = lost.iter().map(|(stream, id, times)| {
            let mut claim = cmd("XCLAIM");
            claim.arg(&*stream.key).arg("w").arg(name.as_str()).arg(0).arg(id_text(*id));
            claim.arg("RETRYCOUNT").arg(*times);
            claim
        });
        let answers = self.link.run_all(claims.collect(), Effect::Write).await?;
        let mut deliveries = Vec::new();
        for ((stream, _, times), answer) in lost.iter().zip(answers) {
            for entry in reply::entries(self.link.checked(answer)?, QUEUE)? {
                let times = u32::try_from(*times).unwrap_or(u32::MAX);
                deliveries.push(delivery(stream, entry, times));
            }
        }
        worker.note_delivered(&deliveries);
        if is_all {
            worker.settle_doubts(queues, began);
        }
        Ok(deliveries)
    }
}

/// The streams that gave all that was asked of them, and may have more.
fn exhausted(streams: &[Stream], deliveries: &[Delivery], share: usize) -> Vec<Stream> {
    let gave_all = |stream: &&Stream| {
        let of_it = deliveries.iter().filter(|delivery| is_from(&delivery.receipt, stream));
        of_it.count() >= share.max(1)
    };
    if deliveries.len() < share.max(1) {
        return Vec::new();
    }
    streams.iter().filter(gave_all).cloned().collect()
}

fn waiting_read(name: &WorkerId, streams: &[Stream], share: usize, wait: Duration) -> Cmd {
    let mut read = Cmd::with_capacity(streams.len() * 2 + 9, streams.len() * 48 + 64);
    read.arg("XREADGROUP").arg("GROUP").arg("w").arg(name.as_str());
    read.arg("COUNT").arg(share).arg("BLOCK").arg(millis(wait).max(1)).arg("STREAMS");
    for stream in streams {
        read.arg(&*stream.key);
    }
    for _ in streams {
        read.arg(">");
    }
    read
}

fn read_answer(answer: Value, streams: &[Stream]) -> Result<Vec<Delivery>> {
    let mut answer = reply::array(answer, QUEUE)?.into_iter();
    let mut streams = streams.iter();
    let mut deliveries = Vec::new();
    while let (Some(key), Some(entries)) = (answer.next(), answer.next()) {
        let key = reply::bytes(key, QUEUE)?;
        // Answered in the order in which they were asked for.
        let stream = streams
            .find(|stream| stream.key.as_bytes() == key)
            .ok_or_else(|| malformed(QUEUE, "a queue that was not asked for"))?;
        for entry in reply::entries(entries, QUEUE)? {
            deliveries.push(delivery(stream, entry, 1));
        }
    }
    Ok(deliveries)
}

fn is_from(receipt: &Receipt, stream: &Stream) -> bool {
    receipt.partition == stream.partition && receipt.queue == stream.queue
}
