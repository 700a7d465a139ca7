//! What a thread answers to commands, and what it keeps.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rethread_core::checkpoint::Source;
use rethread_core::event::{EventKind, Refusal, RunOutcome};
use rethread_core::failure::Failure;
use rethread_core::header::ThreadStatus;
use rethread_core::ids::{CallId, InterruptId};
use rethread_core::message::{Action, Answers, AttemptOutcome};
use rethread_core::payload::Payload;
use rethread_core::replay::{BodyFuture, Program, Scope};
use rethread_core::thread::Activity;

use crate::support::rng::Rng;
use crate::support::world::World;
use crate::support::{Code, ask, payload, task, value};

fn settled(world: &mut World) {
    world.settle(&mut Rng::new(1), None);
}

fn refusal(world: &World, run: rethread_core::ids::RunId) -> Refusal {
    match world.outcome(run) {
        RunOutcome::Refused(refusal) => refusal.clone(),
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn an_unknown_entrypoint_is_refused_with_the_known_ones() {
    let mut world = World::new(Code::main(|input| async move { Ok(input) }));
    let entrypoint = "mian".to_owned();
    let run = world.submit(Action::Start { entrypoint, input: payload(1) });
    settled(&mut world);
    let expected = Refusal::UnknownEntrypoint { name: "mian".into(), known: "main".into() };
    assert_eq!(refusal(&world, run), expected);
    assert_eq!(world.status(), None, "nothing was changed");
}

#[test]
fn previous_is_what_the_last_completed_execution_saved() {
    let code = Code::main(|input| async move {
        let scope = rethread_core::replay::Scope::current().expect("in a body");
        let previous = scope.info().previous.as_ref().map_or(0, value::<u64>);
        let input: u64 = value(&input);
        if input == 99 {
            return Err(Failure::new("Bad", "no"));
        }
        Ok(payload(previous + input))
    });
    let mut world = World::new(code);
    let mut results = Vec::new();
    for input in [1, 2, 99, 3] {
        let run = world.start(input);
        settled(&mut world);
        results.push(world.outcome(run).clone());
        world.crash();
    }
    assert_eq!(results[0], RunOutcome::Done(payload(1_u64)));
    assert_eq!(results[1], RunOutcome::Done(payload(3_u64)));
    assert!(matches!(results[2], RunOutcome::Failed(_)));
    assert_eq!(results[3], RunOutcome::Done(payload(6_u64)));
    let steps: Vec<_> = world
        .store
        .checkpoints
        .values()
        .map(|checkpoint| (checkpoint.source, checkpoint.step))
        .collect();
    let (input, done) = (Source::Input, Source::Loop);
    assert_eq!(
        steps,
        [(input, -1), (done, 0), (input, 1), (done, 2), (input, 3), (input, 4), (done, 5)],
        "each run counts on from the checkpoint it was made from"
    );
}

#[test]
fn a_second_start_is_refused_while_a_run_is_in_progress() {
    let mut world = World::new(Code::main(|_| async { task("work", 1).await }));
    let first = world.start(());
    let second = world.start(());
    world.handle_message();
    world.handle_message();
    assert_eq!(refusal(&world, second), Refusal::Busy { run: first });
    settled(&mut world);
    assert!(matches!(world.outcome(first), RunOutcome::Done(_)));
}

#[test]
fn a_command_that_is_delivered_twice_has_one_effect() {
    let mut world = World::new(Code::main(|_| async { task("work", 1).await }));
    world.start(());
    let again = world.store.inbox[0].clone();
    world.store.inbox.push_back(again);
    settled(&mut world);
    assert_eq!(world.starts("work"), 1);
    assert_eq!(world.store.checkpoints.len(), 2);
}

#[test]
fn wrong_answers_are_refused_and_change_nothing() {
    let code = Code::main(|_| async {
        let (a, b) = futures::future::join(ask("a?"), ask("b?")).await;
        Ok(payload((value::<u64>(&a?), value::<u64>(&b?))))
    });
    let mut world = World::new(code);
    world.answer(1);
    settled(&mut world);
    world.start(());
    settled(&mut world);
    let Some(ThreadStatus::Interrupted(open)) = world.status().cloned() else {
        panic!("not interrupted: {:?}", world.status());
    };
    let questions: Vec<String> = open.iter().map(|interrupt| value(&interrupt.value)).collect();
    assert_eq!(questions, ["a?", "b?"]);
    assert_ne!(open[0].id, open[1].id);

    let ambiguous = world.answer(1);
    settled(&mut world);
    let ids = vec![open[0].id, open[1].id];
    assert_eq!(refusal(&world, ambiguous), Refusal::AmbiguousAnswer { open: ids.clone() });

    let unknown = InterruptId::from_bytes([7; 16]);
    let answers = [(open[0].id, payload(1_u64)), (unknown, payload(2_u64))];
    let run = world.submit(Action::Resume(Answers::ById(answers.into())));
    settled(&mut world);
    assert_eq!(refusal(&world, run), Refusal::UnknownInterrupt { id: unknown, open: ids });

    let answers = [(open[1].id, payload(20_u64))];
    let run = world.submit(Action::Resume(Answers::ById(answers.into())));
    settled(&mut world);
    let RunOutcome::Interrupted(left) = world.outcome(run) else {
        panic!("one question is left: {:?}", world.outcome(run));
    };
    assert_eq!(left[..], open[..1], "the question keeps its id");
    let run = world.answer(10_u64);
    settled(&mut world);
    assert_eq!(world.outcome(run), &RunOutcome::Done(payload((10_u64, 20_u64))));
    assert_eq!(world.store.activity, Some(Activity::Parked));
}

#[test]
fn retry_tries_again_only_what_ended_the_run() {
    let code = Code::main(|_| async {
        let survived = task("fails", "a").await.is_err();
        let kept = task("work", 1).await?;
        task("fails", "b").await?;
        Ok(payload((survived, value::<u64>(&kept))))
    });
    let mut world = World::new(code);
    world.task("fails", |order| {
        // Handled the first time, it must not succeed in a later run.
        match (value::<String>(&order.input).as_str(), order.target.attempt) {
            (_, 1) => {
                let mut failure = Failure::new("Bad", "no");
                failure.cause = Some(order.target.call);
                AttemptOutcome::failed(failure)
            }
            _ => AttemptOutcome::Completed(payload(())),
        }
    });
    let run = world.start(());
    settled(&mut world);
    assert!(matches!(world.outcome(run), RunOutcome::Failed(_)));
    world.crash();
    let run = world.submit(Action::Retry);
    settled(&mut world);
    assert_eq!(world.outcome(run), &RunOutcome::Done(payload((true, 1_u64))));
    assert_eq!((world.starts("work"), world.starts("fails")), (1, 3));
    let updated: Vec<_> = world.store.events[&run]
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::Updated { name, .. } => Some(name.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(updated, ["fails", "main"], "replayed results are not shown as new");
}

#[test]
fn an_answer_that_cannot_be_used_is_asked_for_again() {
    let in_entrypoint = Code::main(|_| async {
        let kept = task("work", 1_u64).await?;
        let answer = ask("how many?").await?;
        let cause = Scope::current().expect("in a body").info().scope.interrupt(0);
        let count = answer.decode::<u64>("answer").map_err(|error| {
            let cause = Some(CallId::of_interrupt(cause));
            Failure { cause, ..Failure::from(error) }
        })?;
        Ok(payload(count + value::<u64>(&kept)))
    });
    let in_task = Code::main(|_| async {
        let kept = task("work", 1_u64).await?;
        let asking = task("asking", ()).await;
        let count = asking.map_err(|failure| {
            let cause = Some(failure.message.parse().expect("the task's call"));
            Failure { cause, ..failure }
        })?;
        Ok(payload(value::<u64>(&count) + value::<u64>(&kept)))
    });
    for code in [in_entrypoint, in_task] {
        let mut world = World::new(code);
        world.task("asking", |order| {
            let Some(answer) = order.answers.first() else {
                return AttemptOutcome::Asked { index: 0, value: payload("how many?") };
            };
            match answer.decode::<u64>("answer") {
                Ok(count) => AttemptOutcome::Completed(payload(count)),
                Err(_) => {
                    let call = order.target.call;
                    let cause = Some(CallId::of_interrupt(call.interrupt(0)));
                    let failure = Failure::new("Decode", call.to_string()).final_();
                    AttemptOutcome::failed(Failure { cause, ..failure })
                }
            }
        });
        world.start(());
        settled(&mut world);
        let run = world.answer("many");
        settled(&mut world);
        assert!(matches!(world.outcome(run), RunOutcome::Failed(_)), "{:?}", world.outcome(run));
        world.crash();
        let run = world.submit(Action::Retry);
        settled(&mut world);
        assert!(matches!(world.outcome(run), RunOutcome::Interrupted(_)), "it is asked again");
        let run = world.answer(41_u64);
        settled(&mut world);
        assert_eq!(world.outcome(run), &RunOutcome::Done(payload(42_u64)));
        assert_eq!(world.starts("work"), 1);
    }
}

#[test]
fn changed_code_is_parked_with_both_sides_and_goes_on_after_a_fix() {
    let good = || {
        Code::main(|_| async {
            let a: u64 = value(&task("first", 1_u64).await?);
            ask("go on?").await?;
            Ok(payload(a + value::<u64>(&task("second", 2_u64).await?)))
        })
    };
    let mut world = World::new(good());
    world.start(());
    settled(&mut world);
    world.crash();
    world.program = Arc::new(Code::main(|_| async {
        task("changed", 1_u64).await?;
        ask("go on?").await
    }));
    let run = world.answer("yes");
    settled(&mut world);
    let RunOutcome::Parked(mismatch) = world.outcome(run) else {
        panic!("not parked: {:?}", world.outcome(run));
    };
    assert!(mismatch.expected.contains("`first`"), "{mismatch}");
    assert!(mismatch.found.contains("`changed`"), "{mismatch}");
    assert_eq!(world.starts("changed"), 0, "nothing is scheduled");
    world.crash();
    world.program = Arc::new(good());
    let run = world.submit(Action::Retry);
    settled(&mut world);
    assert_eq!(world.outcome(run), &RunOutcome::Done(payload(3_u64)));
    assert_eq!(world.starts("first"), 1);
}

#[test]
fn a_report_that_comes_while_the_code_does_not_fit_is_kept() {
    let good = || Code::main(|_| async { task("work", 4_u64).await });
    let mut world = World::new(good());
    world.start(());
    world.handle_message();
    world.crash();
    world.program = Arc::new(Code::main(|_| async { task("other", 4_u64).await }));
    world.run_order(0);
    world.handle_message();
    assert!(matches!(world.status(), Some(ThreadStatus::Parked(_))), "{:?}", world.status());
    world.crash();
    world.program = Arc::new(good());
    let run = world.submit(Action::Retry);
    settled(&mut world);
    assert_eq!(world.outcome(run), &RunOutcome::Done(payload(4_u64)));
    assert_eq!(world.starts("work"), 1, "the recorded result is used");
}

#[test]
fn a_call_that_runs_while_the_code_does_not_fit_is_not_run_again() {
    for is_reloaded in [false, true] {
        let is_broken = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&is_broken);
        let mut world = World::new(Code::main(move |_| {
            let is_broken = flag.load(Ordering::SeqCst);
            async move {
                if is_broken {
                    return task("other", 4_u64).await;
                }
                let (a, b) = futures::future::join(task("work", 1_u64), task("work", 2_u64)).await;
                Ok(payload(value::<u64>(&a?) + value::<u64>(&b?)))
            }
        }));
        world.start(());
        world.handle_message();
        world.crash();
        is_broken.store(true, Ordering::SeqCst);
        world.run_order(0);
        world.handle_message();
        assert!(matches!(world.status(), Some(ThreadStatus::Parked(_))), "{:?}", world.status());
        assert!(world.store.queue.iter().all(|order| order.name == "work"), "nothing is scheduled");
        is_broken.store(false, Ordering::SeqCst);
        if is_reloaded {
            world.crash();
        }
        let run = world.submit(Action::Retry);
        settled(&mut world);
        assert_eq!(world.outcome(run), &RunOutcome::Done(payload(3_u64)));
        assert_eq!(world.starts("work"), 2, "reloaded: {is_reloaded}");
    }
}

#[test]
fn panics_are_failures_of_the_run() {
    let mut world = World::new(Code::main(|input| async move {
        assert!(input.is_null(), "input was not null");
        Ok(input)
    }));
    let run = world.start(5);
    settled(&mut world);
    let RunOutcome::Failed(failure) = world.outcome(run) else {
        panic!("not failed: {:?}", world.outcome(run));
    };
    assert!(failure.message.contains("input was not null"), "{failure}");
}

#[test]
fn a_panic_while_a_body_is_dropped_harms_nobody() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }
    let mut world = World::new(Code::main(|_| async {
        let bomb = Bomb;
        let answer = ask("go on?").await;
        std::mem::forget(bomb);
        answer
    }));
    world.start(());
    settled(&mut world);
    let run = world.answer(1);
    settled(&mut world);
    assert_eq!(world.outcome(run), &RunOutcome::Done(payload(1)));
}

#[test]
fn a_panic_while_the_input_is_read_refuses_it() {
    #[derive(Debug)]
    struct Panics;
    impl Program for Panics {
        fn start(&self, _: &str, _: &Payload) -> Result<BodyFuture, Refusal> {
            panic!("bad Deserialize")
        }
    }
    let mut world = World::new(Panics);
    let run = world.start(5);
    settled(&mut world);
    let text = refusal(&world, run).to_string();
    assert!(text.contains("`main`") && text.contains("bad Deserialize"), "{text}");
}

#[test]
fn a_question_of_a_task_that_nobody_waits_for_stops_the_run() {
    let mut world = World::new(Code::main(|_| async {
        drop(task("asking", ()));
        Ok(payload("done"))
    }));
    world.task("asking", |order| match order.answers.first() {
        None => AttemptOutcome::Asked { index: 0, value: payload("sure?") },
        Some(answer) => AttemptOutcome::Completed(answer.clone()),
    });
    let run = world.start(());
    settled(&mut world);
    assert!(matches!(world.outcome(run), RunOutcome::Interrupted(_)), "the question is not lost");
    let run = world.answer(true);
    settled(&mut world);
    assert_eq!(world.outcome(run), &RunOutcome::Done(payload("done")));
}
