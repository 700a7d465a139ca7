"""Streams of a run, in each mode, and joined again."""

import json
import threading

import httpx
import pytest
from conftest import wait_until


def parts(stream):
    """What a stream shows, without its first frame, which tells the run."""
    first, *rest = list(stream)
    assert first.event == "metadata"
    assert first.data["run_id"] and first.data["attempt"] == 1
    return [(part.event, part.data) for part in rest]


def streamed(client, thread, program, given, mode, **more):
    return parts(client.runs.stream(thread, program, input=given, stream_mode=mode, **more))


def data(stream):
    return [data for _, data in stream]


def test_values_of_a_program_is_its_result(client, thread):
    assert streamed(client, thread, "add_numbers", [1, 2], "values") == [("values", [4, 5])]


def test_values_of_a_question_and_of_its_answer(client, thread):
    [(event, value)] = streamed(client, thread, "essay", "cat", "values")
    [question] = value["__interrupt__"]
    assert event == "values" and question["value"]["essay"] == "An essay about topic: cat"
    answered = parts(client.runs.stream(thread, "essay", command={"resume": True}))
    done = {"essay": "An essay about topic: cat", "is_approved": True}
    assert answered == [("values", None), ("values", done)]


def test_updates_name_tasks_and_then_the_entrypoint(client, thread):
    assert data(streamed(client, thread, "add_numbers", [1, 2], "updates")) == [
        {"add_one": 2},
        {"add_two": 4},
        {"add_one": 3},
        {"add_two": 5},
        {"add_numbers": [4, 5]},
    ]


def test_updates_of_a_question_and_of_its_answer(client, thread):
    written, asked = data(streamed(client, thread, "essay", "cat", "updates"))
    assert written == {"write_essay": "An essay about topic: cat"}
    assert list(asked) == ["__interrupt__"]
    command = {"resume": True}
    answered = parts(client.runs.stream(thread, "essay", command=command, stream_mode="updates"))
    done = {"essay": "An essay about topic: cat", "is_approved": True}
    assert answered == [("updates", {"essay": done})], "what was done before is not shown again"


def test_updates_tell_what_came_from_the_cache(client, thread, unique):
    given = {"key": unique, "x": 1}
    first, second, result = data(streamed(client, thread, "cached", given, "updates"))
    assert first == {"slow_add": 2}
    assert second == {"slow_add": 2, "__metadata__": {"cached": True}}
    assert result == {"cached": {"result1": 2, "result2": 2, "calls": 1}}


def test_custom_is_what_the_program_writes(client, thread):
    assert streamed(client, thread, "add_numbers", [1, 2], "custom") == [
        ("custom", "hello"),
        ("custom", {"processing": 1}),
        ("custom", {"processing": 2}),
        ("custom", "world"),
    ]


def test_several_modes_in_the_order_things_happened(client, thread):
    shown = streamed(client, thread, "add_numbers", [1], ["custom", "updates", "values"])
    assert [event for event, _ in shown] == [
        "custom",
        "custom",
        "updates",
        "updates",
        "custom",
        "updates",
        "values",
    ]


def test_every_attempt_is_seen(client, thread, unique):
    given = {"key": unique, "fail_times": 2}
    shown = streamed(client, thread, "flaky", given, ["custom", "updates"])
    assert data(shown) == [
        {"attempt": 1},
        {"attempt": 2},
        {"attempt": 3},
        {"flaky_task": {"attempts": 3}},
        {"flaky": {"attempts": 3}},
    ]


def test_a_failure_ends_the_stream(client, thread, http):
    # The stock client turns the frame into an exception, so it is read as it comes.
    body = {"assistant_id": "boom", "input": "x", "stream_mode": ["values"]}
    with http.stream("POST", f"/threads/{thread}/runs/stream", json=body) as answer:
        text = answer.read().decode()
    *_, last = [frame for frame in text.replace("\r\n", "\n").split("\n\n") if frame.strip()]
    lines = dict(line.split(": ", 1) for line in last.splitlines())
    assert lines["event"] == "error"
    assert json.loads(lines["data"])["message"] == "x"
    [run] = client.runs.list(thread)
    assert run["status"] == "error", "right before the stream closes"


def test_tasks_start_and_end(client, thread):
    shown = data(streamed(client, thread, "add_numbers", [1], "tasks"))
    starts = [one for one in shown if "input" in one]
    ends = [one for one in shown if "result" in one]
    assert [one["name"] for one in starts] == ["add_numbers", "add_one", "add_two"]
    assert [one["name"] for one in ends] == ["add_one", "add_two", "add_numbers"]
    assert starts[0]["input"] == [1] and starts[0]["triggers"] == ["__start__"]
    assert starts[1]["input"] == [[1], {}]
    assert [one["result"] for one in ends] == [
        {"__return__": 2},
        {"__return__": 4},
        {"__end__": [4]},
    ]
    assert {one["id"] for one in starts} == {one["id"] for one in ends}
    assert all(one["error"] is None and one["interrupts"] == [] for one in ends)


def test_checkpoints_at_input_and_end(client, thread):
    first, last = data(streamed(client, thread, "accumulate", 5, "checkpoints"))
    assert (first["metadata"]["source"], last["metadata"]["source"]) == ("input", "loop")
    assert first["next"] == ["accumulate"] and last["next"] == []
    assert last["values"] == 0
    configurable = last["config"]["configurable"]
    assert configurable["thread_id"] == thread
    newest = client.threads.get_state(thread)["checkpoint"]["checkpoint_id"]
    assert configurable["checkpoint_id"] == newest


def test_debug_wraps_tasks_and_checkpoints(client, thread):
    shown = data(streamed(client, thread, "add_numbers", [1], "debug"))
    kinds = [one["type"] for one in shown]
    assert kinds.count("checkpoint") == 2
    assert kinds.count("task") == kinds.count("task_result") == 3
    assert all({"step", "timestamp", "payload"} <= one.keys() for one in shown)


def test_children_are_shown_on_demand(client, thread):
    assert data(streamed(client, thread, "parent", 41, "updates")) == [{"parent": {"child": 42}}]
    shown = streamed(client, thread, "parent", 41, "updates", stream_subgraphs=True)
    assert data(shown) == [{"add_one": 42}, {"child": 42}, {"parent": {"child": 42}}]
    first, second, last = [event for event, _ in shown]
    assert first == second and first.startswith("updates|parent:")
    assert last == "updates"


def test_the_second_form_of_parts(client, thread):
    shown = client.runs.stream(
        thread, "add_numbers", input=[1], stream_mode=["updates"], version="v2"
    )
    updates = [part["data"] for part in shown if part["type"] == "updates"]
    assert updates == [{"add_one": 2}, {"add_two": 4}, {"add_numbers": [4]}]


def test_what_the_answer_says_of_itself(http, thread):
    body = {"assistant_id": "accumulate", "input": 1, "stream_resumable": True}
    with http.stream("POST", f"/threads/{thread}/runs/stream", json=body) as answer:
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert answer.headers["cache-control"] == "no-store"
        place = answer.headers["content-location"]
        assert place.startswith(f"/threads/{thread}/runs/")
        assert answer.headers["location"] == f"{place}/stream"
        text = answer.read().decode()
    ids = [line[4:] for line in text.splitlines() if line.startswith("id: ")]
    assert ids and len(set(ids)) == len(ids)
    for id in ids:
        millis, number = id.split("-")
        assert millis.isdigit() and number.isdigit()


def test_line_separators_survive(client, thread):
    message = "a\u2028b\u2029c\r\nd"
    [(_, value)] = streamed(client, thread, "essay", message, "values")
    [question] = value["__interrupt__"]
    assert question["value"]["essay"] == f"An essay about topic: {message}"


def test_a_stream_lives_while_nothing_happens(http, thread):
    body = {"assistant_id": "accumulate", "input": 1, "after_seconds": 7}
    with http.stream("POST", f"/threads/{thread}/runs/stream", json=body) as answer:
        assert ": heartbeat" in answer.read().decode()


# Joining


def resumable(client, thread, **given):
    return client.runs.create(
        thread,
        "slow",
        input=given,
        stream_mode=["custom", "values", "updates"],
        stream_resumable=True,
    )["run_id"]


def joined(client, thread, run, after="-1", **more):
    return list(client.runs.join_stream(thread, run, last_event_id=after, **more))


def test_all_of_a_run_while_it_goes_on_and_after_its_end(client, thread):
    run = resumable(client, thread, ticks=4, tag="a")
    live = joined(client, thread, run)
    assert [part.data for part in live if part.event == "custom"] == [
        {"tick": i} for i in range(4)
    ]
    assert live[0].event == "metadata" and live[-1].event == "values"
    assert all(part.id for part in live)
    assert joined(client, thread, run) == live


@pytest.mark.differs
def test_cut_anywhere_and_joined_again_it_is_the_same(client, thread):
    run = resumable(client, thread, ticks=2, tag="a")
    whole = joined(client, thread, run)
    assert len({part.id for part in whole}) == len(whole)
    for cut in range(len(whole)):
        rest = joined(client, thread, run, after=whole[cut].id)
        assert rest == whole[cut + 1 :], f"after {whole[cut].id}"


def test_a_live_stream_that_was_cut_goes_on(client, http, thread):
    run = resumable(client, thread, ticks=6, tag="a")
    seen = []
    for part in client.runs.join_stream(thread, run, last_event_id="-1"):
        seen.append(part)
        if part.event == "custom":
            break
    rest = joined(client, thread, run, after=seen[-1].id)
    custom = [part.data for part in seen + rest if part.event == "custom"]
    assert custom == [{"tick": i} for i in range(6)]


def test_without_an_id_a_join_shows_what_comes(client, thread, started):
    run = resumable(client, thread, ticks=10, tag="a")
    started(thread, run)
    shown = list(client.runs.join_stream(thread, run))
    assert all(part.event != "metadata" for part in shown)
    assert shown[-1].event == "values"


def test_of_a_run_that_is_over_a_join_without_an_id_shows_nothing(client, thread, ended):
    run = resumable(client, thread, ticks=0)
    ended(thread, run)
    assert list(client.runs.join_stream(thread, run)) == []


def test_several_readers_see_the_same(client, thread):
    run = resumable(client, thread, ticks=5, tag="a")
    seen = [[] for _ in range(4)]

    def read(place):
        place.extend(joined(client, thread, run))

    readers = [threading.Thread(target=read, args=[place]) for place in seen]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert len(seen[0]) > 5 and all(one == seen[0] for one in seen)


def test_a_client_that_goes_away_may_end_the_run(client, http, thread, ended):
    body = {
        "assistant_id": "slow",
        "input": {"ticks": 10_000},
        "stream_mode": ["custom"],
        "on_disconnect": "cancel",
    }
    with http.stream("POST", f"/threads/{thread}/runs/stream", json=body) as answer:
        place = answer.headers["content-location"]
        for line in answer.iter_lines():
            if line.startswith("event: custom"):
                break
    assert ended(thread, place.rsplit("/", 1)[1]) == "interrupted"


def test_a_client_that_goes_away_leaves_the_run_alone(client, http, thread, ended):
    body = {"assistant_id": "slow", "input": {"ticks": 5}, "stream_mode": ["custom"]}
    with http.stream("POST", f"/threads/{thread}/runs/stream", json=body) as answer:
        place = answer.headers["content-location"]
        for line in answer.iter_lines():
            if line.startswith("event: custom"):
                break
    assert ended(thread, place.rsplit("/", 1)[1]) == "success"


# All runs of a thread


def test_a_thread_is_watched_over_several_runs(client, thread):
    seen = []
    ready = threading.Event()

    def watch():
        try:
            for part in client.threads.join_stream(thread, last_event_id="-"):
                seen.append(part)
                ready.set()
                ends = [one for one in seen if one.data == {"status": "run_done", "run_id": runs[-1]}]
                if len(runs) == 2 and ends:
                    return
        except httpx.HTTPError as error:
            seen.append(error)

    runs = ["none"]
    watcher = threading.Thread(target=watch, daemon=True)
    first = client.runs.create(thread, "accumulate", input=5)["run_id"]
    watcher.start()
    client.runs.join(thread, first)
    wait_until("the first run in the stream", ready.is_set)
    second = client.runs.create(thread, "accumulate", input=7)["run_id"]
    runs[:] = [first, second]
    watcher.join(timeout=100)
    told = [part for part in seen if part.event == "metadata"]
    starts = [part.data["run_id"] for part in told if "attempt" in part.data]
    ends = [part.data["run_id"] for part in told if part.data.get("status") == "run_done"]
    assert second in starts and second in ends
    assert 5 in [part.data for part in seen if part.event == "values"]
