//! Streams of runs of graphs; the lines are what LangGraph shows.

use futures::StreamExt;
use rethread_client::{EventKind, Failure, Mode, RunOutcome, Source};
use rethread_core::checkpoint::{Checkpoint, Progress};
use rethread_core::event::ChildStart;
use rethread_core::graph::{NodeOutput, StepTask};
use rethread_core::policy::History;
use serde_json::json;

use crate::coordinator::{checkpoint_id, done, payload};
use crate::graphs::{
    between, but, calls_graph, ended_with, gave, graph_gave, in_step, known_graph, known_update,
    log, new_graph, node, node_failed, of_input, planned, progress, runs, runs_as, runs_graph,
    sent, stepped, stepped_within, task, view, wrote_log,
};
use crate::shown::{
    ALL, asked, begun, begun_again, call, completed, ended, line, no, run_from, run_with, shown,
    task as calls_task, updated, wrote,
};

const MODES: [Mode; 5] =
    [Mode::Values, Mode::Updates, Mode::Custom, Mode::Tasks, Mode::Checkpoints];

/// The lines of a run that began with an input.
async fn lines(kinds: Vec<EventKind>) -> Vec<String> {
    lines_from(of_input(), kinds).await
}

async fn lines_from(checkpoint: Checkpoint, kinds: Vec<EventKind>) -> Vec<String> {
    let (run, _coordinator) = run_from(vec![checkpoint], kinds).await;
    shown(run.stream(MODES).subgraphs(true)).await
}

/// The first step of a run: the input is written.
fn input_written(tasks: &[&str]) -> [EventKind; 2] {
    [begun(), stepped(2, log(&["in"]), planned(tasks))]
}

const INPUT: [&str; 2] = [
    "checkpoints c1 of none: input -1 values {log:[]} user null tasks [{name:__start__}]",
    "values {value:{log:[in]}}",
];

fn behind_input(lines: &[String]) -> &[String] {
    assert_eq!(lines[..2], INPUT);
    &lines[2..]
}

#[tokio::test(start_paused = true)]
async fn each_step_shows_its_nodes_its_values_and_its_checkpoint() {
    let mut kinds = input_written(&["a"]).to_vec();
    kinds.extend([
        runs(0, 1, "a"),
        wrote(Some(1), "w"),
        wrote_log(1, "a", "a"),
        stepped(3, log(&["in", "a"]), planned(&["b", "c"])),
        runs(0, 2, "b"),
        runs(0, 3, "c"),
        gave(3, node("c"), vec![]),
        wrote_log(2, "b", "b"),
        stepped(4, log(&["in", "a", "b"]), vec![]),
        ended(done("in a b")),
    ]);
    let expected = [
        "checkpoints c2 of c1: loop 0 values {log:[in]} user null tasks [{name:a}]",
        "tasks start a t1 input {log:seen}",
        "custom {value:w}",
        "updates {name:a,value:{log:[a]}}",
        "tasks finish a t1 result {log:[a]}",
        "values {value:{log:[in,a]}}",
        "checkpoints c3 of c2: loop 1 values {log:[in,a]} user null tasks [{name:b},{name:c}]",
        "tasks start b t2 input {log:seen}",
        "tasks start c t3 input {log:seen}",
        "updates {name:c,value:null}",
        "tasks finish c t3 result {}",
        "updates {name:b,value:{log:[b]}}",
        "tasks finish b t2 result {log:[b]}",
        "values {value:{log:[in,a,b]}}",
        "checkpoints c4 of c3: loop 2 values {log:[in,a,b]} user null tasks []",
    ];
    assert_eq!(behind_input(&lines(kinds.clone()).await), expected);

    let (run, _coordinator) = run_from(vec![of_input()], kinds).await;
    let debug = shown(run.stream([Mode::Debug])).await;
    let steps: Vec<_> = debug.iter().map(|line| line.split(' ').nth(1).expect("a step")).collect();
    assert_eq!(steps, ["-1", "0", "1", "1", "1", "2", "2", "2", "2", "2"]);
    let whole = shown(run.stream(ALL)).await;
    for cut in 0..=whole.len() {
        let mut first = run.stream(ALL);
        let mut read = Vec::new();
        for _ in 0..cut {
            read.push(line(first.next().await.expect("more")));
        }
        read.extend(shown(run.stream_from(ALL, first.cursor())).await);
        assert_eq!(read, whole, "cut at {cut}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_step_that_changes_nothing_shows_no_values() {
    let nothing = |nth, tasks| but(stepped(nth, log(&[]), tasks), |changed, _, _| *changed = false);
    let kinds = vec![begun(), nothing(2, planned(&["a"])), nothing(3, vec![]), ended(done(0))];
    let (run, _coordinator) = run_from(vec![of_input()], kinds).await;
    assert!(shown(run.stream([Mode::Values])).await.is_empty());
    assert_eq!(shown(run.stream([Mode::Checkpoints])).await.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn each_node_that_asks_shows_its_questions_and_then_what_ended_is_shown() {
    let tasks =
        vec![task(1, "a", None), task(2, "b", None), task(3, "c", Some(json!({ "log": ["c"] })))];
    let mut kinds = input_written(&["a", "b", "c"]).to_vec();
    kinds.extend([
        runs(0, 1, "a"),
        runs(0, 2, "b"),
        runs(0, 3, "c"),
        wrote_log(3, "c", "c"),
        EventKind::StoppedInStep(in_step(view(log(&["in", "c"]), tasks), vec![])),
        ended(RunOutcome::Interrupted(vec![asked(2, &[2]), asked(1, &[1]), asked(3, &[1, 9])])),
    ]);
    let expected = [
        "updates {interrupts:[i2]}",
        "values {interrupts:[i2],value:{log:[in]}}",
        "tasks finish b t2 interrupts [i2]",
        "updates {interrupts:[i1,i3]}",
        "values {interrupts:[i1,i3],value:{log:[in]}}",
        "tasks finish a t1 interrupts [i1,i3]",
        "values {value:{log:[in,c]}}",
    ];
    assert_eq!(lines(kinds.clone()).await[8..], expected);
    let (run, _coordinator) = run_from(vec![of_input()], kinds).await;
    let outcome = run.wait().await.expect("interrupted");
    let rethread_client::Outcome::Interrupted(open) = outcome else { panic!("{outcome:?}") };
    assert_eq!(open.len(), 3);
    let result = open.result().expect("a graph has one");
    assert_eq!(result.to_json(), Ok(json!({ "log": ["in", "c"] })));
}

#[tokio::test(start_paused = true)]
async fn a_resume_shows_the_step_again_with_what_had_ended() {
    let mut tasks = vec![
        task(1, "z", Some(json!({ "log": ["z"] }))),
        task(2, "m", None),
        task(3, "s", Some(json!({}))),
    ];
    tasks[2].sent = true;
    let interrupts = vec![asked(1, &[2])];
    let before = Progress { interrupts, ..progress(view(log(&["in", "z"]), tasks), vec![]) };
    let kinds = vec![
        EventKind::RunStarted {
            entrypoint: "main".into(),
            root: call(0),
            checkpoint: checkpoint_id(2),
            continues: true,
            before,
            unkept: None,
            is_exit: false,
        },
        runs(0, 1, "z"),
        runs(0, 2, "m"),
        known_update(wrote_log(1, "z", "z")),
        wrote_log(2, "m", "m"),
        stepped(3, log(&["in", "m", "z"]), vec![]),
        ended(done(0)),
    ];
    let expected = [
        "values {value:{log:[in]}}",
        "checkpoints c2 of c1: loop 0 values {log:[in]} user null tasks [{name:s},{interrupts:[i1],name:m},{name:z,result:{log:[z]}}]",
        "tasks start z t1 input {log:seen}",
        "tasks start m t2 input {log:seen}",
        "updates {cached:true,name:z,value:{log:[z]}}",
        "updates {name:m,value:{log:[m]}}",
        "tasks finish m t2 result {log:[m]}",
        "values {value:{log:[in,m,z]}}",
        "checkpoints c3 of c2: loop 1 values {log:[in,m,z]} user null tasks []",
    ];
    assert_eq!(lines_from(between(2, log(&["in"]), &["z", "m", "s"]), kinds).await, expected);
}

#[tokio::test(start_paused = true)]
async fn streamed_checkpoints_name_sent_tasks_first_and_the_others_by_name() {
    let tasks = || {
        let added = StepTask { added: true, ..StepTask::new("B") };
        vec![sent("s"), sent("a"), StepTask::new("z"), added, StepTask::new("a")]
    };
    let names = |line: &str| line.split_once("tasks ").expect("tasks").1.to_owned();
    let made = lines(vec![begun(), stepped(2, log(&[]), tasks()), ended(done(0))]).await;
    let by_name = "[{name:s},{name:a},{name:B},{name:a},{name:z}]";
    assert_eq!(names(made.last().expect("a checkpoint")), by_name);

    // What an edit has laid out stands in the order in which the nodes were added.
    let edited = Checkpoint { source: Source::Update, tasks: tasks(), ..between(2, log(&[]), &[]) };
    let goes_on = EventKind::RunStarted {
        entrypoint: "main".into(),
        root: call(0),
        checkpoint: checkpoint_id(2),
        continues: true,
        before: Progress::default(),
        unkept: None,
        is_exit: false,
    };
    let shown = lines_from(edited, vec![goes_on, ended(done(0))]).await;
    let first = shown.iter().find(|line| line.starts_with("checkpoints c2 ")).expect("is shown");
    assert_eq!(names(first), "[{name:s},{name:a},{name:z},{name:B},{name:a}]");
}

#[tokio::test(start_paused = true)]
async fn a_breakpoint_is_an_update_without_questions() {
    let pause = but(stepped(2, log(&["in"]), planned(&["a"])), |_, pause, _| *pause = true);
    let lines_of = lines(vec![begun(), pause, ended(done("in"))]).await;
    let expected = [
        "checkpoints c2 of c1: loop 0 values {log:[in]} user null tasks [{name:a}]",
        "updates {interrupts:[]}",
    ];
    assert_eq!(behind_input(&lines_of), expected);

    // The same in a graph within, beside a node that has ended.
    let tasks = vec![task(1, "p", Some(json!({ "log": ["p"] }))), task(2, "sub", None)];
    let mut kinds = input_written(&["p", "sub"]).to_vec();
    kinds.extend([
        runs(0, 1, "p"),
        runs_graph(0, 2, "sub", new_graph(2)),
        wrote_log(1, "p", "p"),
        but(stepped_within(2, 1, log(&["in"]), &["i"]), |_, pause, _| *pause = true),
        EventKind::StoppedInStep(in_step(view(log(&["in", "p"]), tasks), vec![])),
        ended(done("in p")),
    ]);
    let lines = lines(kinds).await;
    let last = ["values {value:{log:[in,p]}}", "updates {interrupts:[]}"];
    assert_eq!(lines[lines.len() - 2..], last);
    assert_eq!(lines.iter().filter(|line| line.contains("interrupts")).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_graph_as_node_is_shown_as_node_and_from_within() {
    let mut kinds = input_written(&["sub"]).to_vec();
    kinds.extend([
        runs_graph(0, 1, "sub", new_graph(1)),
        stepped_within(1, 1, log(&["in"]), &["i"]),
        runs(1, 2, "i"),
        wrote(Some(2), "w"),
        calls_task(2, 3, "t"),
        wrote(Some(3), "v"),
        updated(3, "t", 7),
        wrote_log(2, "i", "i"),
        stepped_within(1, 2, log(&["in", "i"]), &[]),
        graph_gave(1, node("sub"), log(&["in", "i"])),
        stepped(3, log(&["in", "in", "i"]), vec![]),
        ended(done(0)),
    ]);
    let expected = [
        "tasks start sub t1 input {log:[in]}",
        "checkpoints [sub:t1] c1a of none: input -1 values {log:[]} user null tasks [{name:__start__}]",
        "values [sub:t1] {value:{log:[in]}}",
        "checkpoints [sub:t1] c1b of c1a: loop 0 values {log:[in]} user null tasks [{name:i}]",
        "tasks [sub:t1] start i t2 input {log:seen}",
        "custom [sub:t1] {value:w}",
        "tasks [sub:t1] start t t3 input [1]",
        "custom [sub:t1 i:t2] {value:v}",
        "updates [sub:t1] {name:t,value:7}",
        "tasks [sub:t1] finish t t3 result 7",
        "updates [sub:t1] {name:i,value:{log:[i]}}",
        "tasks [sub:t1] finish i t2 result {log:[i]}",
        "values [sub:t1] {value:{log:[in,i]}}",
        "checkpoints [sub:t1] c1c of c1b: loop 1 values {log:[in,i]} user null tasks []",
        "updates {name:sub,value:{log:[in,i]}}",
        "tasks finish sub t1 result {log:[in,i]}",
        "values {value:{log:[in,in,i]}}",
        "checkpoints c3 of c2: loop 1 values {log:[in,in,i]} user null tasks []",
    ];
    assert_eq!(lines(kinds.clone()).await[3..], expected);
    // Without the inside: as any other node.
    let (run, _coordinator) = run_from(vec![of_input()], kinds).await;
    let outside = shown(run.stream([Mode::Updates, Mode::Tasks])).await;
    let expected = [
        "tasks start sub t1 input {log:[in]}",
        "updates {name:sub,value:{log:[in,i]}}",
        "tasks finish sub t1 result {log:[in,i]}",
    ];
    assert_eq!(outside, expected);
}

#[tokio::test(start_paused = true)]
async fn a_graph_within_goes_on_where_it_was() {
    let before = Progress {
        interrupts: vec![asked(1, &[1, 2])],
        ..progress(view(log(&["in", "i"]), vec![task(2, "j", None)]), vec![])
    };
    let kinds = vec![
        begun_again(true, Progress::default()),
        runs_graph(0, 1, "sub", known_graph(1, &["j"], before)),
        runs(1, 2, "j"),
        wrote_log(2, "j", "j"),
    ];
    let expected = [
        "tasks start sub t1 input {log:[in]}",
        "values [sub:t1] {value:{log:[in,i]}}",
        "checkpoints [sub:t1] c1c of c1b: loop 1 values {log:[in,i]} user null tasks [{interrupts:[i1],name:j}]",
        "tasks [sub:t1] start j t2 input {log:seen}",
        "updates [sub:t1] {name:j,value:{log:[j]}}",
    ];
    let kinds = kinds.into_iter().chain([ended(done(0))]).collect();
    assert_eq!(lines(kinds).await[2..7], expected);

    // One that had ended shows its update only.
    let result = Progress { result: Some(log(&["x"])), ..Progress::default() };
    let kinds = vec![
        begun_again(true, Progress::default()),
        runs_graph(0, 1, "sub", known_graph(1, &[], result)),
        known_update(graph_gave(1, node("sub"), log(&["x"]))),
        ended(done(0)),
    ];
    let expected =
        ["tasks start sub t1 input {log:[in]}", "updates {cached:true,name:sub,value:{log:[x]}}"];
    assert_eq!(lines(kinds).await[2..], expected);
}

#[tokio::test(start_paused = true)]
async fn questions_within_graphs_are_shown_from_the_inside_out() {
    let mut kinds = input_written(&["mid"]).to_vec();
    kinds.extend([
        runs_graph(0, 1, "mid", new_graph(1)),
        stepped_within(1, 1, log(&["m"]), &["low"]),
        runs_graph(1, 2, "low", new_graph(2)),
        stepped_within(2, 1, log(&["l"]), &["i"]),
        runs(2, 3, "i"),
        EventKind::StoppedInStep(in_step(view(log(&["in"]), vec![task(1, "mid", None)]), vec![])),
        ended(RunOutcome::Interrupted(vec![asked(1, &[1, 2, 3])])),
    ]);
    let expected = [
        "updates [mid:t1 low:t2] {interrupts:[i1]}",
        "values [mid:t1 low:t2] {interrupts:[i1],value:{log:[l]}}",
        "tasks [mid:t1 low:t2] finish i t3 interrupts [i1]",
        "updates [mid:t1] {interrupts:[i1]}",
        "values [mid:t1] {interrupts:[i1],value:{log:[m]}}",
        "tasks [mid:t1] finish low t2 interrupts [i1]",
        "updates {interrupts:[i1]}",
        "values {interrupts:[i1],value:{log:[in]}}",
        "tasks finish mid t1 interrupts [i1]",
    ];
    let lines = lines(kinds).await;
    assert_eq!(lines[lines.len() - 9..], expected);
}

#[tokio::test(start_paused = true)]
async fn a_graph_that_an_entrypoint_calls_has_no_task_of_its_own() {
    let mut kinds = vec![
        begun(),
        calls_graph(0, 1, new_graph(1)),
        stepped_within(1, 1, log(&["in"]), &["i"]),
        runs(1, 2, "i"),
        wrote_log(2, "i", "i"),
        stepped_within(1, 2, log(&["in", "i"]), &[]),
        updated(1, "inner", "ignored"),
    ];
    kinds.extend(completed());
    let (run, _coordinator) = run_with(kinds).await;
    let lines = shown(run.stream(MODES).subgraphs(true)).await;
    let expected = [
        "checkpoints [main:t0] c1a of none: input -1 values {log:[]} user null tasks [{name:__start__}]",
        "values [main:t0] {value:{log:[in]}}",
        "checkpoints [main:t0] c1b of c1a: loop 0 values {log:[in]} user ada tasks [{name:i}]",
        "tasks [main:t0] start i t2 input {log:seen}",
        "updates [main:t0] {name:i,value:{log:[i]}}",
        "tasks [main:t0] finish i t2 result {log:[i]}",
        "values [main:t0] {value:{log:[in,i]}}",
        "checkpoints [main:t0] c1c of c1b: loop 1 values {log:[in,i]} user ada tasks []",
        "updates {name:main,value:cats}",
    ];
    assert_eq!(lines[2..11], expected);
    let lifecycle = shown(run.stream([Mode::Lifecycle]).subgraphs(true)).await;
    assert_eq!(lifecycle[2], "lifecycle [main:t0] ended inner t1 result ignored");
}

#[tokio::test(start_paused = true)]
async fn a_graph_within_shows_its_output_fields() {
    let child = ChildStart { outputs: Some(vec!["x".into()]), ..new_graph(1) };
    let both = || payload(json!({ "log": ["l"], "x": 1 }));
    let mut kinds = input_written(&["sub"]).to_vec();
    kinds.extend([
        runs_graph(0, 1, "sub", child),
        stepped_within(1, 1, both(), &["i"]),
        runs(1, 2, "i"),
        gave(2, node("i"), vec![both()]),
    ]);
    let lines = lines(kinds.into_iter().chain([ended(done(0))]).collect()).await;
    let expected = [
        "values [sub:t1] {value:{x:1}}",
        "checkpoints [sub:t1] c1b of c1a: loop 0 values {log:[l],x:1} user null tasks [{name:i}]",
        "tasks [sub:t1] start i t2 input {log:seen}",
        "updates [sub:t1] {name:i,value:{x:1}}",
        "tasks [sub:t1] finish i t2 result {log:[l],x:1}",
    ];
    assert_eq!(lines[5..10], expected);
}

#[tokio::test(start_paused = true)]
async fn the_history_of_a_graph_says_where_its_events_are() {
    let starts = async |history| {
        let child = ChildStart { history, ..new_graph(1) };
        let mut kinds = input_written(&["sub"]).to_vec();
        kinds.extend([runs_graph(0, 1, "sub", child), runs(1, 2, "i"), ended(done(0))]);
        lines(kinds).await[4..].to_vec()
    };
    let of_thread = starts(History::Thread).await;
    assert!(of_thread[0].starts_with("checkpoints [sub] c1a"), "{of_thread:?}");
    assert_eq!(of_thread[1], "tasks [sub] start i t2 input {log:seen}");
    assert_eq!(starts(History::Off).await, ["tasks [sub:t1] start i t2 input {log:seen}"]);
}

#[tokio::test(start_paused = true)]
async fn failures_of_nodes_are_shown_and_the_graph_has_none_of_its_own() {
    let mut kinds = input_written(&["sub"]).to_vec();
    kinds.extend([
        runs_graph(0, 1, "sub", new_graph(1)),
        runs(1, 2, "i"),
        node_failed(2, node("i"), no()),
        node_failed(1, node("sub"), no()),
        ended(RunOutcome::Failed(no())),
    ]);
    let lines = lines(kinds).await;
    let expected = [
        "tasks [sub:t1] finish i t2 error {kind:Declined,message:no}",
        "tasks finish sub t1 error {kind:Declined,message:no}",
    ];
    assert_eq!(lines[6..8], expected);
    assert!(lines[8].starts_with("error: run failed with Declined"), "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn what_handles_a_failure_gives_the_update_under_its_own_name() {
    let handler = || rethread_core::graph::Node { is_handler: true, ..node("a") };
    let mut kinds = input_written(&["a"]).to_vec();
    kinds.extend([
        runs(0, 1, "a"),
        node_failed(1, node("a"), Failure::new("ValueError", "h")),
        runs_as(0, 2, handler()),
        gave(2, handler(), vec![log(&["h"])]),
        ended(done(0)),
    ]);
    let expected = [
        "tasks start a t1 input {log:seen}",
        "tasks finish a t1 error {kind:ValueError,message:h}",
        "updates {name:__error_handler__a,value:{log:[h]}}",
        "tasks finish __error_handler__a t2 result {log:[h]}",
    ];
    assert_eq!(lines(kinds).await[3..], expected);
}

#[tokio::test(start_paused = true)]
async fn a_command_to_the_graph_around_is_shown_there() {
    let command =
        NodeOutput { updates: vec![log(&["up"])], to_parent: true, ..NodeOutput::default() };
    let mut kinds = input_written(&["sub"]).to_vec();
    kinds.extend([
        runs_graph(0, 1, "sub", new_graph(1)),
        runs(1, 2, "i"),
        ended_with(2, node("i"), &command),
        graph_gave(1, node("sub"), command.into_parent_command().expect("encodes")),
        ended(done(0)),
    ]);
    let expected = [
        "tasks [sub:t1] start i t2 input {log:seen}",
        "updates {name:sub,value:{log:[up]}}",
        "tasks finish sub t1 result {log:[up]}",
    ];
    assert_eq!(lines(kinds).await[5..], expected);
}

#[tokio::test(start_paused = true)]
async fn a_field_that_is_written_twice_is_shown_write_by_write() {
    let mut kinds = input_written(&["a"]).to_vec();
    kinds.extend([
        runs(0, 1, "a"),
        gave(1, node("a"), vec![log(&["1"]), log(&["2"])]),
        ended(done(0)),
    ]);
    let expected = [
        "updates {name:a,value:[{log:[1]},{log:[2]}]}",
        "tasks finish a t1 result {log:{$writes:[[1],[2]]}}",
    ];
    assert_eq!(lines(kinds).await[4..], expected);
}

#[tokio::test(start_paused = true)]
async fn what_a_graph_did_before_its_caller_called_it_again_is_shown_behind_the_call() {
    let before = progress(view(log(&["in", "i"]), vec![task(3, "j", None)]), vec![]);
    let kinds = vec![
        begun_again(true, Progress::default()),
        runs(0, 1, "n"),
        runs(2, 3, "j"),
        wrote_log(3, "j", "j"),
        stepped_within(2, 3, log(&["in", "i", "j"]), &[]),
        calls_graph(1, 2, known_graph(2, &["j"], before)),
        ended(done(0)),
    ];
    let lines = lines(kinds).await;
    let expected = [
        "values [n:t1] {value:{log:[in,i]}}",
        "checkpoints [n:t1] c2c of c2b: loop 1 values {log:[in,i]} user null tasks [{name:j}]",
        "tasks [n:t1] start j t3 input {log:seen}",
        "updates [n:t1] {name:j,value:{log:[j]}}",
        "tasks [n:t1] finish j t3 result {log:[j]}",
        "values [n:t1] {value:{log:[in,i,j]}}",
    ];
    assert_eq!(lines[3..9], expected);
}

#[tokio::test(start_paused = true)]
async fn what_is_of_a_node_says_so() {
    let mut kinds = input_written(&["a"]).to_vec();
    kinds.extend([
        runs(0, 1, "a"),
        calls_task(1, 2, "t"),
        updated(2, "t", 7),
        wrote_log(1, "a", "a"),
        ended(done(0)),
    ]);
    let (run, _coordinator) = run_from(vec![of_input()], kinds).await;
    let stream = run.stream([Mode::Tasks, Mode::Updates]);
    let nodes: Vec<_> = stream.map(|event| event.expect("an event").is_node).collect().await;
    assert_eq!(nodes, [true, false, false, false, true, true]);
}

#[tokio::test(start_paused = true)]
async fn a_breakpoint_of_a_graph_that_an_entrypoint_calls_is_an_update_without_questions() {
    let kinds = vec![
        begun(),
        calls_graph(0, 1, new_graph(1)),
        but(stepped_within(1, 1, log(&["in"]), &["i"]), |_, pause, _| *pause = true),
        ended(RunOutcome::Interrupted(vec![])),
    ];
    let (run, _coordinator) = run_with(kinds).await;
    let lines = shown(run.stream([Mode::Updates, Mode::Tasks])).await;
    assert_eq!(lines, ["tasks start main t0 input cat", "updates {interrupts:[]}"]);
}
