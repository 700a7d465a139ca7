use futures::StreamExt;
use rethread_client::{
    AnyValue, ClientError, Cursor, EventKind, Mode, Payload, Refusal, RunOutcome, StreamData,
};
use rethread_core::checkpoint::Progress;

use crate::coordinator::{checkpoint_id, input_checkpoint, payload, run_id};
use crate::shown::{
    ALL, asked, begun, begun_again, cached, call, completed, ended, failed, line, no, run_with,
    shown, task, updated, wrote,
};

/// A body with one task that is called and gives its result.
fn body(end: impl IntoIterator<Item = EventKind>) -> Vec<EventKind> {
    let message = EventKind::Message {
        call: Some(call(1)),
        attempt: 1,
        value: payload("tok"),
        metadata: payload("meta"),
    };
    let mut kinds =
        vec![begun(), wrote(None, "hi"), task(0, 1, "essay"), wrote(Some(1), 50), message];
    kinds.push(updated(1, "essay", "cats"));
    kinds.extend(end);
    kinds
}

#[tokio::test(start_paused = true)]
async fn each_mode_shows_its_part() {
    let (run, _coordinator) = run_with(body(completed())).await;
    let updates = ["updates {name:essay,value:cats}", "updates {name:main,value:cats}"];
    assert_eq!(shown(run.stream([Mode::Updates])).await, updates);
    assert_eq!(shown(run.stream([Mode::Values])).await, ["values {value:cats}"]);
    assert_eq!(shown(run.stream([Mode::Custom])).await, ["custom {value:hi}", "custom {value:50}"]);
    let messages = ["messages {metadata:meta,value:tok}"];
    assert_eq!(shown(run.stream([Mode::Messages])).await, messages);
    let tasks = [
        "tasks start main t0 input cat",
        "tasks start essay t1 input [1]",
        "tasks finish essay t1 result cats",
        "tasks finish main t0 result cats",
    ];
    assert_eq!(shown(run.stream([Mode::Tasks])).await, tasks);
    let checkpoints = [
        "checkpoints c1 of none: input -1 values former user ada tasks [{name:main}]",
        "checkpoints c2 of c1: loop 0 values cats user ada tasks []",
    ];
    assert_eq!(shown(run.stream([Mode::Checkpoints])).await, checkpoints);
    let debug = shown(run.stream([Mode::Debug])).await;
    assert_eq!(debug[1], "debug 0 task (start main t0 input cat)");
    let last = "debug 0 checkpoint (c2 of c1: loop 0 values cats user ada tasks [])";
    assert_eq!((debug.len(), debug[5].as_str()), (6, last));
    assert!(shown(run.stream([])).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn all_modes_keep_the_order_of_langgraph() {
    let (run, _coordinator) = run_with(body(completed())).await;
    let expected = [
        "checkpoints c1 of none: input -1 values former user ada tasks [{name:main}]",
        "debug -1 checkpoint (c1 of none: input -1 values former user ada tasks [{name:main}])",
        "tasks start main t0 input cat",
        "debug 0 task (start main t0 input cat)",
        "custom {value:hi}",
        "tasks start essay t1 input [1]",
        "debug 0 task (start essay t1 input [1])",
        "custom {value:50}",
        "messages {metadata:meta,value:tok}",
        "updates {name:essay,value:cats}",
        "tasks finish essay t1 result cats",
        "debug 0 task_result (finish essay t1 result cats)",
        "updates {name:main,value:cats}",
        "tasks finish main t0 result cats",
        "debug 0 task_result (finish main t0 result cats)",
        "values {value:cats}",
        "checkpoints c2 of c1: loop 0 values cats user ada tasks []",
        "debug 0 checkpoint (c2 of c1: loop 0 values cats user ada tasks [])",
    ];
    assert_eq!(shown(run.stream(ALL)).await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_goes_on_begins_with_the_value_and_what_was_asked() {
    let before = Progress { interrupts: vec![asked(1, &[])], ..Progress::default() };
    let mut kinds = vec![begun_again(true, before), task(0, 1, "essay")];
    kinds.extend(completed());
    let (run, _coordinator) = run_with(kinds).await;
    let modes = [Mode::Values, Mode::Updates, Mode::Tasks, Mode::Checkpoints];
    let expected = [
        "values {value:former}",
        "checkpoints c1 of none: input -1 values former user ada tasks [{interrupts:[i1],name:main}]",
        "tasks start main t0 input cat",
        "tasks start essay t1 input [1]",
        "updates {name:main,value:cats}",
        "tasks finish main t0 result cats",
        "values {value:cats}",
        "checkpoints c2 of c1: loop 0 values cats user ada tasks []",
    ];
    assert_eq!(shown(run.stream(modes)).await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_call_is_shown_before_what_came_of_it() {
    let mut kinds = vec![
        begun_again(true, Progress::default()),
        task(0, 1, "outer"),
        wrote(Some(2), "w"),
        task(2, 3, "deep"),
        updated(3, "deep", 3),
        updated(2, "inner", 2),
        task(1, 2, "inner"),
        updated(1, "outer", 1),
    ];
    kinds.extend(completed());
    let (run, _coordinator) = run_with(kinds).await;
    let modes = [Mode::Updates, Mode::Tasks, Mode::Custom];
    let lines = shown(run.stream(modes)).await;
    let expected = [
        "tasks start outer t1 input [1]",
        "tasks start inner t2 input [1]",
        "custom {value:w}",
        "tasks start deep t3 input [1]",
        "updates {name:deep,value:3}",
        "tasks finish deep t3 result 3",
        "updates {name:inner,value:2}",
        "tasks finish inner t2 result 2",
        "updates {name:outer,value:1}",
        "tasks finish outer t1 result 1",
    ];
    assert_eq!(lines[1..11], expected);
    assert_eq!(shown(run.stream_from(modes, Cursor::behind(6))).await, lines[2..]);
}

#[tokio::test(start_paused = true)]
async fn a_thread_with_nothing_to_do_shows_what_it_has() {
    let begun = EventKind::RunStarted {
        entrypoint: "main".into(),
        root: call(0),
        checkpoint: checkpoint_id(2),
        continues: true,
        before: Progress::default(),
        unkept: None,
        is_exit: false,
    };
    let end = ended(RunOutcome::Done(payload("cats")));
    let (run, _coordinator) = run_with(vec![begun, end]).await;
    let modes = [Mode::Values, Mode::Updates, Mode::Tasks, Mode::Checkpoints];
    let expected =
        ["values {value:cats}", "checkpoints c2 of c1: loop 0 values cats user ada tasks []"];
    assert_eq!(shown(run.stream(modes)).await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_hit_of_the_cache_is_flagged_and_has_no_finish() {
    let hit = [begun(), task(0, 1, "essay"), cached(1, "essay", "cats")];
    let kinds = hit.into_iter().chain(completed()).collect();
    let (run, _coordinator) = run_with(kinds).await;
    let expected = [
        "tasks start main t0 input cat",
        "tasks start essay t1 input [1]",
        "updates {cached:true,name:essay,value:cats}",
        "updates {name:main,value:cats}",
        "tasks finish main t0 result cats",
    ];
    assert_eq!(shown(run.stream([Mode::Updates, Mode::Tasks])).await, expected);
}

#[tokio::test(start_paused = true)]
async fn questions_end_the_stream_without_an_error() {
    let open = vec![asked(1, &[]), asked(2, &[1])];
    let kinds = vec![begun(), task(0, 1, "ask"), ended(RunOutcome::Interrupted(open))];
    let (run, _coordinator) = run_with(kinds).await;
    let modes = [Mode::Values, Mode::Updates, Mode::Tasks];
    let expected = [
        "tasks start main t0 input cat",
        "tasks start ask t1 input [1]",
        "updates {interrupts:[i1,i2]}",
        "values {interrupts:[i1,i2]}",
        "tasks finish main t0 interrupts [i1,i2]",
    ];
    assert_eq!(shown(run.stream(modes)).await, expected);
    assert_eq!(shown(run.stream([Mode::Values])).await, ["values {interrupts:[i1,i2]}"]);
    let mut stream = run.stream([Mode::Custom]);
    assert!(stream.next().await.is_none());
    assert_eq!(stream.run().wait().await.expect("interrupted").interrupts().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_the_last_item() {
    let kinds = vec![begun(), task(0, 1, "pay"), failed(1, "pay"), ended(RunOutcome::Failed(no()))];
    let (run, _coordinator) = run_with(kinds).await;
    let modes = [Mode::Values, Mode::Updates, Mode::Tasks];
    let lines = shown(run.stream(modes)).await;
    let tasks = [
        "tasks start main t0 input cat",
        "tasks start pay t1 input [1]",
        "tasks finish pay t1 error {kind:Declined,message:no}",
        "tasks finish main t0 error {kind:Declined,message:no}",
    ];
    assert_eq!(lines[..4], tasks);
    assert!(lines[4].starts_with("error: run failed with Declined: no; "), "{}", lines[4]);
    assert_eq!(lines.len(), 5);
    // The entrypoint is known also to a stream that did not see it start.
    assert_eq!(shown(run.stream_from(modes, Cursor::behind(1))).await, lines[1..]);

    let refusal = Refusal::NothingToContinue { status: "idle".into() };
    let refused = vec![ended(RunOutcome::Refused(refusal.clone()))];
    let (run, _coordinator) = run_with(refused).await;
    let items: Vec<_> = run.stream(ALL).collect().await;
    assert_eq!(items, [Err(ClientError::Refused(refusal))]);
}

#[tokio::test(start_paused = true)]
async fn an_edit_has_no_result() {
    let kinds = vec![ended(RunOutcome::Edited(Some(checkpoint_id(2))))];
    let (run, _coordinator) = run_with(kinds).await;
    let edited = ClientError::Edited { run: run.run_id() };
    assert_eq!(run.wait().await, Err(edited.clone()));
    assert_eq!(run.stream(ALL).collect::<Vec<_>>().await, [Err(edited)]);
}

#[tokio::test(start_paused = true)]
async fn a_cursor_loses_nothing_and_repeats_nothing_wherever_the_stream_was_cut() {
    let (run, _coordinator) = run_with(body(completed())).await;
    let whole = shown(run.stream(ALL)).await;
    for cut in 0..=whole.len() {
        let mut first = run.stream(ALL);
        let mut lines = Vec::new();
        for _ in 0..cut {
            lines.push(line(first.next().await.expect("more")));
        }
        let cursor = first.cursor().to_string().parse().expect("a cursor");
        lines.extend(shown(run.stream_from(ALL, cursor)).await);
        assert_eq!(lines, whole, "cut at {cut}");
    }
}

fn reset(body: Option<u8>, attempt: u32) -> EventKind {
    EventKind::Reset { call: body.map(call), attempt }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_run_again_takes_back_what_it_wrote_in_each_mode() {
    let token = |value: &str| EventKind::Message {
        call: Some(call(1)),
        attempt: 1,
        value: payload(value),
        metadata: payload("meta"),
    };
    let mut kinds = vec![begun(), task(0, 1, "essay"), token("half"), wrote(Some(1), "w")];
    // It has written nothing since, and another call nothing at all.
    kinds.extend([reset(Some(1), 2), reset(Some(1), 3), task(0, 2, "silent"), reset(Some(2), 2)]);
    kinds.extend([token("whole"), updated(1, "essay", "cats")]);
    kinds.extend(completed());
    let (run, _coordinator) = run_with(kinds).await;
    let anew = |mode: &str| format!("{mode} reset null t1 attempt 2");
    let messages = [
        "messages {metadata:meta,value:half}".to_owned(),
        anew("messages"),
        "messages {metadata:meta,value:whole}".to_owned(),
    ];
    assert_eq!(shown(run.stream([Mode::Messages])).await, messages);
    let custom = ["custom {value:w}".to_owned(), anew("custom")];
    assert_eq!(shown(run.stream([Mode::Custom])).await, custom);
    let both = shown(run.stream([Mode::Custom, Mode::Messages])).await;
    assert_eq!(both[2..4], [anew("messages"), anew("custom")]);
    assert!(!shown(run.stream([Mode::Updates])).await.join(" ").contains("reset"));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_run_again_takes_back_what_its_calls_wrote() {
    let mut kinds = vec![begun(), wrote(None, "root"), task(0, 1, "essay"), wrote(Some(1), "task")];
    kinds.extend([updated(1, "essay", "cats"), reset(None, 2), wrote(None, "anew")]);
    kinds.extend(completed());
    let (run, _coordinator) = run_with(kinds).await;
    let expected = [
        "custom {value:root}",
        "custom {value:task}",
        "custom reset null null attempt 2",
        "custom reset null t1 attempt null",
        "custom {value:anew}",
    ];
    assert_eq!(shown(run.stream([Mode::Custom])).await, expected);
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_a_run_in_progress_shows_that_run() {
    let (run, mut coordinator) = run_with(body(completed())).await;
    let whole = shown(run.stream(ALL)).await;
    let thread = run.thread();
    let joined = vec![ended(RunOutcome::Joined(run_id(1)))];
    coordinator.say(thread.id(), run_id(2), joined).await;
    let answer = thread.run(run_id(2)).typed::<String>();
    assert_eq!(answer.wait().await, run.wait().await);
    assert_eq!(shown(answer.stream(ALL)).await, whole);
    let later = shown(answer.stream_from(ALL, Cursor::behind(2))).await;
    assert_eq!(later, shown(run.stream_from(ALL, Cursor::behind(2))).await);
    assert!(later.len() < whole.len());
}

#[tokio::test(start_paused = true)]
async fn a_checkpoint_that_is_gone_is_passed_over() {
    let begun = EventKind::RunStarted {
        entrypoint: "main".into(),
        root: call(0),
        checkpoint: checkpoint_id(8),
        continues: true,
        before: Progress::default(),
        unkept: None,
        is_exit: false,
    };
    let end =
        [updated(0, "main", "cats"), EventKind::Checkpointed { checkpoint: checkpoint_id(9) }];
    let kinds = [begun].into_iter().chain(end).chain([ended(RunOutcome::Done(payload("cats")))]);
    let (run, _coordinator) = run_with(kinds.collect()).await;
    let expected = [
        "updates {name:main,value:cats}",
        "tasks finish main t0 result cats",
        "debug 0 task_result (finish main t0 result cats)",
        "values {value:cats}",
    ];
    assert_eq!(shown(run.stream(ALL)).await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_checkpoint_that_is_not_kept_is_in_the_event() {
    let begun = EventKind::RunStarted {
        entrypoint: "main".into(),
        root: call(0),
        checkpoint: checkpoint_id(8),
        continues: false,
        before: Progress::default(),
        unkept: Some(Box::new(input_checkpoint(8, run_id(1), "cat"))),
        is_exit: false,
    };
    let kinds = [begun].into_iter().chain(completed()).collect();
    let (run, _coordinator) = run_with(kinds).await;
    let lines = shown(run.stream([Mode::Tasks, Mode::Checkpoints])).await;
    assert!(lines[0].starts_with("checkpoints") && lines[0].contains("input -1"), "{lines:?}");
    assert_eq!(lines[1], "tasks start main t0 input cat");
}

#[tokio::test(start_paused = true)]
async fn values_are_any_value() {
    let kinds = vec![begun(), updated(0, "main", ()), ended(RunOutcome::Done(Payload::NULL))];
    let (run, _coordinator) = run_with(kinds).await;
    let items: Vec<_> = run.stream([Mode::Values]).collect().await;
    let [Ok(event)] = &items[..] else { panic!("{items:?}") };
    let StreamData::Value(value) = &event.data else { panic!("{event:?}") };
    assert!(AnyValue::is_null(value));
}
