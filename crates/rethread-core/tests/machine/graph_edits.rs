//! Edits, commands, branches and roll-backs of graphs.

use rethread_core::checkpoint::Source;
use rethread_core::event::{Refusal, RunOutcome};
use rethread_core::graph::{Destination, GraphCommand};
use rethread_core::header::ThreadStatus;
use rethread_core::journal::{Entry, Fact};
use rethread_core::message::{Action, Answers, CommandInput, Update, UpdateAs};
use rethread_core::payload::Payload;

use crate::graphs::{checkpoints, done, entry, history, live, run, start, tasks, world, world_of};
use crate::support::graph::texts;
use crate::support::rng::Rng;
use crate::support::world::World;
use crate::support::{Code, payload};

pub(crate) fn update(values: &str, node: Option<&str>, path: &[&str]) -> Action {
    Action::Update(Box::new(Update {
        kind: UpdateAs::Node(node.map(Into::into)),
        values: payload(values),
        save: None,
        entrypoint: Some("main".into()),
        more: Vec::new(),
        path: path.iter().map(ToString::to_string).collect(),
    }))
}

pub(crate) fn command(update: Option<&str>, goto: &[&str], answer: Option<&str>) -> Action {
    let goto = goto.iter().map(|node| Destination::Node(node.to_string())).collect();
    Action::Command(Box::new(CommandInput {
        answers: answer.map(|answer| Answers::Only(payload(answer))),
        command: GraphCommand { update: update.map(payload), goto },
    }))
}

#[test]
fn an_edit_gives_up_the_step_and_leaves_what_follows_it() {
    let mut world = world(&[&["a", "ask"], &["c"]]);
    start(&mut world, "in");
    let (_, outcome) = run(&mut world, update("U", Some("ask"), &[]));
    assert!(matches!(outcome, RunOutcome::Edited(Some(_))));
    assert_eq!(world.status(), Some(&ThreadStatus::Pending));
    // What had ended of it is given up too.
    assert_eq!(history(&world).last(), Some(&entry(1, &["in", "U"], &["c"])));
    let made = checkpoints(&world);
    assert_eq!(made[2].source, Source::Update);
    let shown = made[1].progress.graph.as_ref().expect("was a step");
    let results: Vec<_> = tasks(shown).into_iter().map(|(_, result, _)| result).collect();
    assert_eq!(results, [Some(payload("a")), Some(payload("U"))]);
    assert_eq!(run(&mut world, Action::Retry).1, done(&["in", "U", "c"]));
}

#[test]
fn an_edit_as_the_node_before_runs_the_step_again() {
    let mut world = world(&[&["a"], &["ask"]]);
    start(&mut world, "in");
    run(&mut world, update("U", None, &[]));
    let (_, outcome) = run(&mut world, Action::Retry);
    assert!(matches!(outcome, RunOutcome::Interrupted(_)));
    let resumed = world.answer("yes");
    world.settle(&mut Rng::new(1), None);
    assert_eq!(world.outcome(resumed), &done(&["in", "a", "U", "yes"]));
}

#[test]
fn a_finished_graph_is_edited() {
    let mut world = world(&[&["a"], &["b"]]);
    start(&mut world, "in");
    run(&mut world, update("U", Some("a"), &[]));
    assert_eq!(run(&mut world, Action::Retry).1, done(&["in", "a", "b", "U", "b"]));
    let end = Action::Update(Box::new(Update {
        kind: UpdateAs::End,
        values: Payload::NULL,
        save: None,
        entrypoint: None,
        more: Vec::new(),
        path: Vec::new(),
    }));
    run(&mut world, update("V", Some("a"), &[]));
    run(&mut world, end);
    assert_eq!(world.status(), Some(&ThreadStatus::Idle));
    let (_, outcome) = run(&mut world, update("W", Some("nobody"), &[]));
    assert!(matches!(outcome, RunOutcome::Refused(Refusal::InvalidUpdate { .. })));
}

#[test]
fn a_pending_child_is_edited_and_answered_ahead() {
    let code =
        Code::default().graph("main", &[&["@inner"], &["b"]]).graph("inner", &[&["i"], &["ask"]]);
    let mut world = world_of(code, 0);
    start(&mut world, "in");
    let (_, outcome) = run(&mut world, update("U", Some("i"), &["@inner"]));
    let RunOutcome::Edited(Some(made)) = outcome else { panic!("{outcome:?}") };
    let graph = live(&world);
    let child = &graph.children[0];
    assert_eq!(child.checkpoints.last().map(|one| one.id), Some(made));
    assert_eq!(texts(&child.view.values), ["in", "i", "U"]);
    let steps: Vec<_> = child.checkpoints.iter().map(|one| one.step).collect();
    assert_eq!(steps, [-1, 0, 1, 2]);
    let asked = world.starts("ask");
    let resumed = world.answer("yes");
    world.settle(&mut Rng::new(1), None);
    assert_eq!(world.outcome(resumed), &done(&["in", "in", "i", "U", "yes", "b"]));
    assert_eq!(world.starts("ask") - asked, 1);
    let (_, outcome) = run(&mut world, update("U", None, &["@inner"]));
    assert!(matches!(outcome, RunOutcome::Refused(Refusal::InvalidUpdate { .. })));
}

#[test]
fn a_command_starts_a_node_beside_the_step() {
    let mut world = world(&[&["ask"], &["c"]]);
    start(&mut world, "in");
    let before = checkpoints(&world).len();
    let (_, outcome) = run(&mut world, command(Some("cmd"), &["b"], None));
    assert!(matches!(outcome, RunOutcome::Interrupted(_)));
    assert_eq!(checkpoints(&world).len(), before);
    let graph = live(&world);
    assert_eq!(texts(&graph.view.values), ["in", "cmd", "b"]);
    assert_eq!(graph.view.tasks.len(), 2);
    let resumed = world.answer("yes");
    world.settle(&mut Rng::new(1), None);
    assert_eq!(world.outcome(resumed), &done(&["in", "cmd", "yes", "b", "c"]));
    assert_eq!(world.starts("b"), 1);
}

#[test]
fn a_command_keeps_what_the_step_has() {
    for seed in 0..50 {
        let mut rng = Rng::new(seed);
        let mut world = world(&[&["a", "ask", "ask2"], &["c"]]);
        world.start("in");
        world.settle(&mut rng, Some(6));
        let ran = world.starts("a");
        world.submit(command(Some("cmd"), &["b"], None));
        world.settle(&mut rng, Some(6));
        let open = match world.status() {
            Some(ThreadStatus::Interrupted(open)) => open.clone(),
            other => panic!("{other:?}"),
        };
        let answers = open.iter().map(|one| (one.id, payload("yes"))).collect();
        let last = world.submit(Action::Resume(Answers::ById(answers)));
        world.settle(&mut rng, Some(6));
        let expected = done(&["in", "cmd", "a", "yes", "yes", "b", "c"]);
        assert_eq!(world.outcome(last), &expected, "seed {seed}");
        assert_eq!(world.starts("a"), ran);
    }
}

#[test]
fn commands_may_change_nothing() {
    let mut world = world(&[&["a", "ask"], &["c"]]);
    start(&mut world, "in");
    let mut most = 0;
    for _ in 0..60 {
        let empty = Action::Command(Box::new(CommandInput {
            answers: None,
            command: GraphCommand { update: Some(payload(7)), goto: Vec::new() },
        }));
        let (_, outcome) = run(&mut world, empty);
        assert!(matches!(outcome, RunOutcome::Interrupted(_)), "{outcome:?}");
        let began = |entry: &&Entry| matches!(entry.fact, Fact::Began(_));
        most = most.max(world.store.journal.iter().filter(began).count());
    }
    assert!(most < 20, "the step stands in the journal {most} times");
    let resumed = world.answer("yes");
    world.settle(&mut Rng::new(1), None);
    assert_eq!(world.outcome(resumed), &done(&["in", "a", "yes", "c"]));
}

#[test]
fn a_command_answers_and_writes() {
    let mut world = world(&[&["ask"], &["c"]]);
    start(&mut world, "in");
    let (_, outcome) = run(&mut world, command(Some("note"), &[], Some("yes")));
    assert_eq!(outcome, done(&["in", "note", "yes", "c"]));
    assert_eq!(history(&world)[1], entry(0, &["in", "note"], &["ask"]));
}

#[test]
fn a_command_goes_on_from_the_end() {
    let mut world = world(&[&["a"]]);
    start(&mut world, "in");
    let made = checkpoints(&world).len();
    assert_eq!(run(&mut world, command(Some("cmd"), &[], None)).1, done(&["in", "a", "cmd"]));
    assert_eq!(checkpoints(&world).len(), made);
    assert_eq!(world.status(), Some(&ThreadStatus::Idle));
    let (_, outcome) = run(&mut world, command(Some("both"), &["b"], None));
    assert_eq!(outcome, done(&["in", "a", "cmd", "both", "b"]));
    assert_eq!(checkpoints(&world).len(), made + 1);
    assert_eq!(history(&world)[made - 1].1, ["in", "a", "cmd", "both"]);
    let mut fresh = crate::graphs::world(&[&["a"]]);
    let (_, outcome) = run(&mut fresh, command(None, &["a"], None));
    assert!(matches!(outcome, RunOutcome::Refused(_)));
}

pub(crate) fn at(world: &mut World, place: usize) {
    let at = checkpoints(world)[place].clone();
    world.asking.at = Some(Box::new(at));
}

#[test]
fn an_older_step_runs_again_on_a_branch() {
    let mut world = world(&[&["a"], &["b"], &["c"]]);
    start(&mut world, "in");
    at(&mut world, 2);
    let (_, outcome) = run(&mut world, Action::Retry);
    assert_eq!(outcome, done(&["in", "a", "b", "c"]));
    assert_eq!((world.starts("a"), world.starts("b")), (1, 2));
    let made = checkpoints(&world);
    assert_eq!((made[5].source, made[5].parent, made[5].step), (Source::Fork, Some(made[2].id), 2));
    // A new input goes on from the branch.
    at(&mut world, 1);
    assert_eq!(start(&mut world, "other").1, done(&["in", "other", "a", "b", "c"]));
    at(&mut world, 1);
    run(&mut world, update("U", Some("a"), &[]));
    assert_eq!(run(&mut world, Action::Retry).1, done(&["in", "U", "b", "c"]));
}

#[test]
fn an_answer_at_an_older_step_is_given_ahead() {
    let mut world = world(&[&["a"], &["ask"]]);
    start(&mut world, "in");
    let resumed = world.answer("yes");
    world.settle(&mut Rng::new(1), None);
    assert_eq!(world.outcome(resumed), &done(&["in", "a", "yes"]));
    let asked = world.starts("ask");
    at(&mut world, 2);
    let again = world.answer("no");
    world.settle(&mut Rng::new(1), None);
    assert_eq!(world.outcome(again), &done(&["in", "a", "no"]));
    assert_eq!(world.starts("ask") - asked, 1);
}

#[test]
fn an_answer_ahead_is_for_whoever_asks_first() {
    for seed in 0..40 {
        let mut rng = Rng::new(seed);
        let code = Code::default()
            .graph("main", &[&["a", "@inner"], &["b"]])
            .graph("inner", &[&["c", "ask"], &["d"]]);
        let mut world = world_of(code, 0);
        world.start("in");
        world.settle(&mut rng, Some(6));
        world.answer("yes");
        world.settle(&mut rng, Some(6));
        at(&mut world, 1);
        let again = world.answer("no");
        world.settle(&mut rng, Some(6));
        let expected = done(&["in", "a", "in", "c", "no", "d", "b"]);
        assert_eq!(world.outcome(again), &expected, "seed {seed}");
    }
}

#[test]
fn a_fresh_thread_is_edited() {
    let mut world = world(&[&["a"], &["b"]]);
    run(&mut world, update("U", Some("a"), &[]));
    assert_eq!(history(&world), [entry(0, &["U"], &["b"])]);
    assert_eq!(run(&mut world, Action::Retry).1, done(&["U", "b"]));
}

#[test]
fn a_copy_of_a_step_stands_ready() {
    let mut world = world(&[&["a"], &["b"]]);
    start(&mut world, "in");
    at(&mut world, 2);
    let copy = Action::Update(Box::new(Update {
        kind: UpdateAs::Copy,
        values: Payload::NULL,
        save: None,
        entrypoint: None,
        more: Vec::new(),
        path: Vec::new(),
    }));
    run(&mut world, copy);
    assert_eq!(world.status(), Some(&ThreadStatus::Pending));
    assert_eq!(history(&world).last(), Some(&entry(2, &["in", "a"], &["b"])));
    assert_eq!(run(&mut world, Action::Retry).1, done(&["in", "a", "b"]));
}

#[test]
fn a_command_goes_on_after_a_failure() {
    let mut world = world(&[&["a", "bad"], &["c"]]);
    start(&mut world, "in");
    world.asking.is_lenient = true;
    let (_, outcome) = run(&mut world, command(None, &["b"], Some("unused")));
    assert_eq!(outcome, done(&["in", "a", "bad", "b", "c"]));
    assert_eq!(world.starts("a"), 1);
}
