//! Edits of the state, branches, copies, and histories of child entrypoints.

use rethread_core::checkpoint::{Checkpoint, Source};
use rethread_core::event::{EventKind, Refusal, RunOutcome};
use rethread_core::header::ThreadStatus;
use rethread_core::message::{Action, Answers, ThreadCopy, Update, UpdateAs};
use rethread_core::payload::Payload;
use rethread_core::policy::{EntrypointOptions, History};
use rethread_core::replay::{BodyOutput, Scope};
use rethread_core::settings::RunDurability;

use crate::support::rng::Rng;
use crate::support::world::World;
use crate::support::{Code, ask, child, payload, task, value};

fn previous() -> Option<u32> {
    let scope = Scope::current().expect("in a body");
    scope.info().previous.as_ref().filter(|saved| !saved.is_null()).map(value)
}

/// Adds its input to what was saved; 0 fails, 100 and above asks first.
fn adding() -> World {
    World::new(Code::main(|input| async move {
        let input: u32 = value(&input);
        let added: u32 = value(&task("add", (input, previous().unwrap_or(0))).await?);
        if input == 0 {
            return Err(rethread_core::failure::Failure::new("Zero", "nothing to add"));
        }
        if input >= 100 {
            let more: u32 = value(&ask("more?").await?);
            return Ok(payload(added + more));
        }
        Ok(payload(added))
    }))
}

fn adding_world() -> World {
    let mut world = adding();
    world.task("add", |order| {
        let (a, b): (u32, u32) = value(&order.input);
        rethread_core::message::AttemptOutcome::Completed(payload(a + b))
    });
    world
}

fn run(world: &mut World, action: Action) -> RunOutcome {
    let run = world.submit(action);
    world.settle(&mut Rng::new(1), None);
    // Every step must survive a new owner.
    world.crash();
    world.outcome(run).clone()
}

fn start(world: &mut World, input: u32) -> RunOutcome {
    run(world, Action::Start { entrypoint: "main".into(), input: payload(input) })
}

fn update(kind: UpdateAs, values: Payload) -> Action {
    let (entrypoint, more, path) = (Some("main".into()), Vec::new(), Vec::new());
    Action::Update(Box::new(Update { kind, values, save: None, entrypoint, more, path }))
}

/// Checkpoints, the newest first.
fn history(world: &World) -> Vec<Checkpoint> {
    world.store.checkpoints.values().rev().cloned().collect()
}

fn done(value: u32) -> RunOutcome {
    RunOutcome::Done(payload(value))
}

#[test]
fn a_new_input_at_an_old_checkpoint_makes_a_branch() {
    let mut world = adding_world();
    assert_eq!(start(&mut world, 1), done(1));
    let first = history(&world)[0].clone();
    assert_eq!(start(&mut world, 2), done(3));
    world.asking.at = Some(Box::new(first.clone()));
    assert_eq!(start(&mut world, 10), done(11));
    let history = history(&world);
    assert_eq!((history[1].parent, history[1].step), (Some(first.id), 1));
    assert_eq!(start(&mut world, 1), done(12), "the branch is the head");
}

#[test]
fn what_is_kept_of_a_branch_that_failed_is_where_it_started() {
    let mut world = adding_world();
    start(&mut world, 1);
    let first = history(&world)[0].clone();
    start(&mut world, 2);
    world.asking.at = Some(Box::new(first));
    assert!(matches!(start(&mut world, 0), RunOutcome::Failed(_)));
    assert_eq!(start(&mut world, 5), done(6), "previous is that of the branch");
}

#[test]
fn going_on_at_an_old_input_runs_it_again_on_a_branch() {
    let mut world = adding_world();
    start(&mut world, 1);
    start(&mut world, 2);
    let second_input = history(&world)[1].clone();
    assert_eq!(second_input.source, Source::Input);
    world.asking.at = Some(Box::new(second_input.clone()));
    assert_eq!(run(&mut world, Action::Retry), done(3));
    assert_eq!(world.starts("add"), 3, "nothing recorded is used");
    let history = history(&world);
    assert_eq!(history[1].source, Source::Fork);
    assert_eq!(history[1].parent, Some(second_input.id));
    assert_eq!(history[0].parent, Some(history[1].id));
}

#[test]
fn going_on_at_a_finished_checkpoint_makes_a_fork_and_gives_its_value() {
    let mut world = adding_world();
    start(&mut world, 1);
    let first = history(&world)[0].clone();
    start(&mut world, 2);
    world.asking.at = Some(Box::new(first));
    assert_eq!(run(&mut world, Action::Retry), done(1));
    assert_eq!(history(&world)[0].source, Source::Fork);
    assert_eq!(start(&mut world, 5), done(6));
}

#[test]
fn going_on_with_nothing_left_to_do_gives_the_value() {
    let mut world = adding_world();
    let refused = run(&mut world, Action::Retry);
    let RunOutcome::Refused(Refusal::NothingToContinue { status }) = refused else {
        panic!("{refused:?}");
    };
    assert!(status.contains("never run"), "{status}");
    world.asking.is_lenient = true;
    assert_eq!(run(&mut world, Action::Retry), RunOutcome::Refused(Refusal::EmptyInput));
    start(&mut world, 7);
    assert_eq!(run(&mut world, Action::Retry), done(7));
    assert_eq!(history(&world).len(), 2, "no checkpoint is made");
}

#[test]
fn an_answer_at_an_old_checkpoint_is_used_on_a_branch() {
    let mut world = adding_world();
    assert!(matches!(start(&mut world, 100), RunOutcome::Interrupted(_)));
    let answer = |n: u32| Action::Resume(Answers::Only(payload(n)));
    assert_eq!(run(&mut world, answer(1)), done(101));
    let input = history(&world)[1].clone();
    world.asking.at = Some(Box::new(input));
    assert_eq!(run(&mut world, answer(2)), done(102));
    let sources: Vec<_> = history(&world).iter().map(|one| one.source).collect();
    assert_eq!(sources, [Source::Loop, Source::Fork, Source::Loop, Source::Input]);
}

#[test]
fn an_edit_gives_up_what_was_pending_and_is_what_follows_from() {
    let mut world = adding_world();
    start(&mut world, 100);
    let edited = run(&mut world, update(UpdateAs::Node(None), payload(50)));
    assert!(matches!(edited, RunOutcome::Edited(Some(_))));
    assert_eq!(world.status(), Some(&ThreadStatus::Idle));
    let history = history(&world);
    assert_eq!((history[0].source, history[0].step), (Source::Update, 0));
    assert_eq!(history[1].progress.result, Some(payload(50)));
    assert_eq!(run(&mut world, Action::Retry), done(50));
    assert_eq!(start(&mut world, 1), done(51));
}

#[test]
fn an_edit_in_another_name_is_refused() {
    let mut world = adding_world();
    start(&mut world, 1);
    let outcome = run(&mut world, update(UpdateAs::Node(Some("nobody".into())), payload(1)));
    assert!(matches!(outcome, RunOutcome::Refused(Refusal::InvalidUpdate { .. })), "{outcome:?}");
    let outcome = run(&mut world, update(UpdateAs::End, payload(1)));
    assert!(matches!(outcome, RunOutcome::Refused(Refusal::InvalidUpdate { .. })), "{outcome:?}");
}

#[test]
fn an_input_stands_ready_until_it_is_run() {
    let mut world = adding_world();
    run(&mut world, update(UpdateAs::Input, payload(4)));
    assert_eq!(world.status(), Some(&ThreadStatus::Pending));
    assert_eq!(history(&world)[0].step, -1);
    assert_eq!(run(&mut world, Action::Retry), done(4));
}

#[test]
fn a_copy_is_a_sibling_without_what_is_recorded() {
    let mut world = adding_world();
    start(&mut world, 3);
    let copied = history(&world);
    for (at, status) in [(0, ThreadStatus::Idle), (1, ThreadStatus::Pending)] {
        world.asking.at = Some(Box::new(copied[at].clone()));
        run(&mut world, update(UpdateAs::Copy, Payload::NULL));
        let copy = history(&world)[0].clone();
        assert_eq!(copy.parent, copied[at].parent);
        assert_eq!((copy.source, copy.step), (Source::Fork, copied[at].step + 1));
        assert_eq!(copy.progress.result, None);
        assert_eq!(world.status(), Some(&status));
    }
    assert_eq!(run(&mut world, Action::Retry), done(3));
}

#[test]
fn a_deleted_thread_begins_anew() {
    let mut world = adding_world();
    start(&mut world, 1);
    assert_eq!(run(&mut world, Action::Delete), RunOutcome::Edited(None));
    assert_eq!(world.status(), None);
    assert!(world.store.checkpoints.is_empty() && world.store.journal.is_empty());
    assert_eq!(start(&mut world, 2), done(2));
    assert_eq!(history(&world)[1].step, -1);
}

#[test]
fn pruning_keeps_what_the_thread_needs() {
    let mut world = adding_world();
    (1..=3).for_each(|input| drop(start(&mut world, input)));
    start(&mut world, 0);
    let all: Vec<_> = history(&world).iter().map(|one| one.id).collect();
    run(&mut world, Action::Prune(all.clone()));
    let left: Vec<_> = history(&world).iter().map(|one| one.id).collect();
    assert_eq!(left, [all[0], all[1]], "the head, and what a new run starts from");
    assert_eq!(start(&mut world, 1), done(7));
}

#[test]
fn a_copied_thread_goes_on_by_itself() {
    let mut world = adding_world();
    start(&mut world, 1);
    start(&mut world, 100);
    let copy = ThreadCopy {
        header: world.store.header.clone().expect("it ran"),
        journal: world.store.journal.clone(),
        checkpoints: world.store.checkpoints.values().cloned().collect(),
    };
    let refused = run(&mut world, Action::Import(Box::new(copy.clone())));
    assert_eq!(refused, RunOutcome::Refused(Refusal::ThreadExists));
    let mut other = adding_world();
    assert!(matches!(run(&mut other, Action::Import(Box::new(copy))), RunOutcome::Edited(Some(_))));
    assert_eq!(history(&other), history(&world));
    let answer = other.answer(5_u32);
    other.settle(&mut Rng::new(1), None);
    assert_eq!(other.outcome(answer), &done(106));
    assert_eq!(other.starts("add"), 0, "what is recorded came along");
}

#[test]
fn with_durability_exit_a_completed_run_leaves_one_checkpoint() {
    let mut world = adding_world();
    let exit = |world: &mut World| world.asking.settings.durability = RunDurability::Exit;
    exit(&mut world);
    assert_eq!(start(&mut world, 1), done(1));
    let first = history(&world);
    assert_eq!(first.len(), 1);
    assert_eq!((first[0].parent, first[0].step), (None, 0));
    exit(&mut world);
    start(&mut world, 100);
    exit(&mut world);
    assert_eq!(run(&mut world, Action::Resume(Answers::Only(payload(1)))), done(102));
    let history = history(&world);
    assert_eq!(history.len(), 3);
    assert_eq!(history[1].progress.result, None);
}

#[test]
fn lenient_answers_change_nothing_where_nobody_asks() {
    let mut world = adding_world();
    let only = |answer| Action::Resume(Answers::Only(answer));
    let lenient = |world: &mut World| world.asking.is_lenient = true;
    lenient(&mut world);
    assert_eq!(run(&mut world, only(payload(1))), RunOutcome::Refused(Refusal::EmptyInput));
    start(&mut world, 5);
    lenient(&mut world);
    assert_eq!(run(&mut world, only(payload(1))), done(5));
    start(&mut world, 100);
    lenient(&mut world);
    assert_eq!(run(&mut world, only(Payload::NULL)), RunOutcome::Refused(Refusal::EmptyInput));
    lenient(&mut world);
    let unknown = rethread_core::ids::CallId::ANYWHERE.interrupt(0);
    let by_id = Action::Resume(Answers::ById([(unknown, payload(1))].into()));
    assert!(matches!(run(&mut world, by_id), RunOutcome::Interrupted(_)), "it is asked again");
    assert_eq!(run(&mut world, only(payload(2))), done(107));
}

/// Two calls of a child that keeps its history, one of them by a task.
fn families() -> World {
    let history = EntrypointOptions { history: History::Thread, ..EntrypointOptions::default() };
    let code = Code::main(|input| async move {
        let input: u32 = value(&input);
        let a: u32 = value(&child("inner", input).await?);
        let b: u32 = value(&child("inner", input * 10).await?);
        let c: u32 = value(&task("calls", input * 100).await?);
        if input == 9 {
            ask("go on?").await?;
        }
        Ok(payload((a, b, c)))
    })
    .with_save("inner", |input| async move {
        let sum = previous().unwrap_or(0) + value::<u32>(&input);
        Ok(BodyOutput { value: payload(sum), save: None, step: None })
    })
    .options("inner", history);
    let mut world = World::new(code);
    world.async_task("calls", |input| async move { child("inner", value::<u32>(&input)).await });
    world
}

#[test]
fn children_with_a_history_keep_it_by_place_and_across_crashes() {
    for (seed, crashes) in (0..40).map(|seed| (seed, (seed > 0).then_some(4))) {
        let mut world = families();
        let mut rng = Rng::new(seed);
        let mut results = Vec::new();
        for input in [1_u32, 2, 3] {
            let run = world.start(input);
            world.settle(&mut rng, crashes);
            results.push(world.outcome(run).clone());
        }
        let expected = [(1, 10, 100), (3, 30, 300), (6, 60, 600)];
        let expected: Vec<_> = expected
            .into_iter()
            .map(|sums: (u32, u32, u32)| RunOutcome::Done(payload(sums)))
            .collect();
        assert_eq!(results, expected, "seed {seed}");
    }
}

#[test]
fn a_run_that_is_given_up_leaves_histories_as_they_were() {
    let mut world = families();
    let sums = |a: u32, b: u32, c: u32| RunOutcome::Done(payload((a, b, c)));
    assert_eq!(start(&mut world, 1), sums(1, 10, 100));
    assert!(matches!(start(&mut world, 9), RunOutcome::Interrupted(_)));
    assert_eq!(start(&mut world, 1), sums(2, 20, 200));
    // A new input goes on from the newest histories, wherever it starts.
    let at = |world: &World, is_it: fn(&Checkpoint) -> bool| {
        history(world).into_iter().find(is_it).map(Box::new)
    };
    world.asking.at = at(&world, |one| one.values == payload((1, 10, 100)) && one.input.is_none());
    assert_eq!(start(&mut world, 5), sums(7, 70, 700));
    // What is run again finds them as they were: here the second input.
    world.asking.at = at(&world, |one| one.input == Some(payload(1)));
    assert_eq!(run(&mut world, Action::Retry), sums(2, 20, 200));
}

#[test]
fn a_resumed_run_shows_what_its_children_had_come_to() {
    let code = Code::main(|_| async {
        child("quick", 1).await?;
        child("asks", 2).await
    })
    .with("quick", |input| async move { Ok(input) })
    .with("asks", |_| async { task("asking", ()).await });
    let mut world = World::new(code);
    world.task("asking", |order| match order.answers.first() {
        Some(answer) => rethread_core::message::AttemptOutcome::Completed(answer.clone()),
        None => rethread_core::message::AttemptOutcome::Asked { index: 0, value: payload("q") },
    });
    world.start(0);
    world.settle(&mut Rng::new(1), None);
    let run = world.answer("A");
    world.settle(&mut Rng::new(1), None);
    let children: Vec<_> = world.store.events[&run]
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::CallStarted { name, child: Some(child), .. } => Some((name.as_str(), child)),
            _ => None,
        })
        .collect();
    let [("quick", quick), ("asks", asks)] = children[..] else { panic!("{children:?}") };
    assert!(quick.continues && asks.continues);
    assert_eq!(quick.before.result, Some(payload(1)));
    assert_eq!(asks.before.result, None);
    assert_eq!(asks.before.interrupts.len(), 1);
    assert_eq!(asks.before.interrupts[0].path.len(), 2, "the child, and its task");
}

#[test]
fn a_child_without_a_history_runs_again_in_each_run_and_keeps_answers() {
    for (seed, crashes) in (0..40).map(|seed| (seed, (seed > 0).then_some(4))) {
        let off = EntrypointOptions { history: History::Off, ..EntrypointOptions::default() };
        let code = Code::main(|_| async {
            let inner: (u32, String) = value(&child("inner", ()).await?);
            task("after", ()).await?;
            let last: String = value(&ask("outer").await?);
            Ok(payload((inner, last)))
        })
        .with("inner", |_| async {
            let n: u32 = value(&task("double", 4_u32).await?);
            let answer: String = value(&ask("inner").await?);
            Ok(payload((n, answer)))
        })
        .options("inner", off);
        let mut world = World::new(code);
        world.runs_recorded_again = true;
        let mut rng = Rng::new(seed);
        world.start(0);
        world.settle(&mut rng, crashes);
        assert_eq!(world.starts("double"), 1);
        world.answer("A");
        world.settle(&mut rng, crashes);
        assert_eq!(world.starts("double"), 2, "seed {seed}");
        let run = world.answer("B");
        world.settle(&mut rng, crashes);
        let expected = ((4_u32, "A".to_owned()), "B".to_owned());
        assert_eq!(world.outcome(run), &RunOutcome::Done(payload(expected)), "seed {seed}");
        assert_eq!(world.starts("double"), 3);
        assert_eq!(world.starts("after"), 1, "what is outside is kept");
    }
}

#[test]
fn each_run_asks_again_what_has_no_answer() {
    let mut world = World::new(Code::main(|_| async {
        let (a, b) = futures::future::join(task("asking", "a"), task("asking", "b")).await;
        Ok(payload((value::<u32>(&a?), value::<u32>(&b?))))
    }));
    world.task("asking", |order| match order.answers.first() {
        Some(answer) => rethread_core::message::AttemptOutcome::Completed(answer.clone()),
        None => {
            rethread_core::message::AttemptOutcome::Asked { index: 0, value: order.input.clone() }
        }
    });
    let first = world.start(0);
    world.settle(&mut Rng::new(1), None);
    let RunOutcome::Interrupted(open) = world.outcome(first).clone() else { panic!("not asked") };
    let answers = [(open[0].id, payload(1_u32))].into();
    let second = world.submit(Action::Resume(Answers::ById(answers)));
    world.settle(&mut Rng::new(1), Some(5));
    let RunOutcome::Interrupted(left) = world.outcome(second).clone() else { panic!("not asked") };
    assert_eq!(left, open[1..], "under the same id");
    assert_eq!(world.starts("asking"), 4, "once more each, whatever was lost on the way");
    let third = world.answer(2_u32);
    world.settle(&mut Rng::new(1), None);
    assert_eq!(world.outcome(third), &RunOutcome::Done(payload((1_u32, 2_u32))));
}

#[test]
fn histories_are_told_apart_by_the_calls_that_lead_to_them() {
    let history = EntrypointOptions { history: History::Thread, ..EntrypointOptions::default() };
    let code = Code::main(|input| async move {
        let a: u32 = value(&child("outer", value::<u32>(&input)).await?);
        let b: u32 = value(&child("outer", value::<u32>(&input) * 10).await?);
        Ok(payload((a, b)))
    })
    .with("outer", |input| async move { child("inner", value::<u32>(&input)).await })
    .with_save("inner", |input| async move {
        let sum = previous().unwrap_or(0) + value::<u32>(&input);
        Ok(BodyOutput { value: payload(sum), save: None, step: None })
    })
    .options("inner", history);
    let mut world = World::new(code);
    assert_eq!(start(&mut world, 1), RunOutcome::Done(payload((1, 10))));
    assert_eq!(start(&mut world, 2), RunOutcome::Done(payload((3, 30))));
    let places: Vec<_> =
        world.store.checkpoints.values().last().expect("one").children.keys().collect();
    assert_eq!(places, ["main/1/outer:inner", "main/outer:inner"]);
}

#[test]
fn an_input_that_stood_ready_is_a_first_run() {
    let code = Code::main(|_| async { child("inner", 1).await })
        .with("inner", |input| async move { Ok(input) });
    let mut world = World::new(code);
    run(&mut world, update(UpdateAs::Input, payload(4)));
    let id = world.submit(Action::Retry);
    world.settle(&mut Rng::new(1), None);
    let continues: Vec<_> = world.store.events[&id]
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::CallStarted { child: Some(child), .. } => Some(child.continues),
            _ => None,
        })
        .collect();
    assert_eq!(continues, [false], "the child was never called before");
}

#[test]
fn an_input_set_by_an_edit_goes_on_from_the_newest_histories_too() {
    let mut world = families();
    let sums = |a: u32, b: u32, c: u32| RunOutcome::Done(payload((a, b, c)));
    assert_eq!(start(&mut world, 1), sums(1, 10, 100));
    let first = history(&world)[0].clone();
    assert_eq!(start(&mut world, 2), sums(3, 30, 300));
    world.asking.at = Some(Box::new(first));
    run(&mut world, update(UpdateAs::Input, payload(4)));
    assert_eq!(run(&mut world, Action::Retry), sums(7, 70, 700));
}
