"""Runs of the programs: made, waited for, joined, listed, deleted."""

import threading
import uuid

import pytest
from langgraph_sdk.errors import APIStatusError, NotFoundError

SIMPLE = [
    ("add_numbers", [1, 2], [4, 5]),
    ("add_numbers", [], []),
    ("accumulate", 5, 0),
    ("parent", 41, {"child": 42}),
    ("slow", {"ticks": 2, "tag": "x"}, {"done": 2, "tag": "x", "previous": None}),
    ("slow", {"ticks": 0}, {"done": 0, "tag": None, "previous": None}),
]


@pytest.mark.parametrize(("program", "given", "result"), SIMPLE)
def test_results_come_as_they_are(client, thread, program, given, result):
    assert client.runs.wait(thread, program, input=given) == result
    assert client.threads.get_state(thread)["values"] == result


def test_flaky_succeeds_in_its_third_attempt(client, thread, unique):
    flaw = {"key": unique, "fail_times": 2}
    assert client.runs.wait(thread, "flaky", input=flaw) == {"attempts": 3}


def test_flaky_fails_after_three_attempts(client, thread, unique):
    flaw = {"key": unique, "fail_times": 9}
    with pytest.raises(Exception, match="Failure 3"):
        client.runs.wait(thread, "flaky", input=flaw)


def test_cached_runs_once_for_equal_arguments(client, unique):
    for _ in range(2):
        thread = client.threads.create()["thread_id"]
        result = client.runs.wait(thread, "cached", input={"key": unique, "x": 1})
        assert result == {"result1": 2, "result2": 2, "calls": 1}


def test_accumulate_goes_on_from_what_was_saved(client, thread):
    results = [client.runs.wait(thread, "accumulate", input=n) for n in (5, 7, 1)]
    assert results == [0, 5, 12]


def test_slow_knows_the_tag_of_the_run_before(client, thread):
    for tag, previous in (("x", None), ("y", "x")):
        result = client.runs.wait(thread, "slow", input={"ticks": 1, "tag": tag})
        assert result == {"done": 1, "tag": tag, "previous": previous}


def test_memories_are_the_same_on_all_threads(client, unique):
    for remember, known in (("owls", ["owls"]), ("bees", ["bees", "owls"])):
        thread = client.threads.create()["thread_id"]
        visit = {"user": unique, "remember": remember}
        assert client.runs.wait(thread, "memory_store", input=visit) == {"memories": known}


def test_a_failure_is_told_with_200(client, http, thread):
    body = {"assistant_id": "boom", "input": "x"}
    failed = http.post(f"/threads/{thread}/runs/wait", json=body)
    assert failed.status_code == 200
    error = failed.json()["__error__"]
    assert error["message"] == "x" and isinstance(error["error"], str)
    with pytest.raises(Exception, match="x"):
        client.runs.wait(thread, "boom", input="x")
    [latest, *_] = client.runs.list(thread)
    assert latest["status"] == "error"


def test_a_run_is_made_at_once_and_joined(client, http, thread):
    body = {"assistant_id": "slow", "input": {"ticks": 3, "tag": "a"}, "metadata": {"m": 1}}
    made = http.post(f"/threads/{thread}/runs", json=body)
    run = made.json()
    assert run["status"] == "pending" and run["thread_id"] == thread
    assert made.headers["content-location"] == f"/threads/{thread}/runs/{run['run_id']}"
    assert run["metadata"].items() >= {"m": 1}.items()
    assert run["kwargs"]["input"] == {"ticks": 3, "tag": "a"}
    assert run["multitask_strategy"] == "enqueue"
    assert client.threads.get(thread)["status"] == "busy"
    result = client.runs.join(thread, run["run_id"])
    assert result == {"done": 3, "tag": "a", "previous": None}
    assert client.runs.get(thread, run["run_id"])["status"] == "success"
    assert client.threads.get(thread)["status"] == "idle"
    # Over already: at once.
    assert client.runs.join(thread, run["run_id"]) == result


def test_wait_says_where_to_go_on(http, thread):
    body = {"assistant_id": "parent", "input": 1}
    answer = http.post(f"/threads/{thread}/runs/wait", json=body)
    place = answer.headers["content-location"]
    assert place.startswith(f"/threads/{thread}/runs/")
    assert answer.headers["location"] == f"{place}/join"
    assert http.get(answer.headers["location"]).json() == {"child": 2}


@pytest.mark.differs
def test_a_late_join_gives_any_result(client, thread):
    run = client.runs.create(thread, "accumulate", input=1)["run_id"]
    for _ in range(2):
        assert client.runs.join(thread, run) == 0


def test_metadata_of_runs_reaches_thread_and_state(client, thread):
    client.runs.wait(thread, "accumulate", input=1, metadata={"who": "ada"})
    metadata = client.threads.get(thread)["metadata"]
    assert metadata["graph_id"] == "accumulate" and "assistant_id" in metadata
    assert client.threads.get_state(thread)["metadata"]["who"] == "ada"


def test_the_list_is_newest_first(client, thread):
    ids = []
    for n in range(3):
        ids.append(client.runs.create(thread, "accumulate", input=n)["run_id"])
    for id in ids:
        client.runs.join(thread, id)
    assert [run["run_id"] for run in client.runs.list(thread)] == ids[::-1]
    assert [run["run_id"] for run in client.runs.list(thread, limit=1, offset=1)] == [ids[1]]
    assert len(client.runs.list(thread, status="success")) == 3
    assert client.runs.list(thread, status="error") == []


def test_unknown_runs_and_programs(client, thread):
    with pytest.raises(NotFoundError):
        client.runs.get(thread, str(uuid.uuid4()))
    with pytest.raises(APIStatusError) as refused:
        client.runs.create(thread, "no_such_program", input=1)
    assert refused.value.status_code in (404, 422)
    with pytest.raises(APIStatusError) as refused:
        client.runs.create(thread, "essay", input="cat", stream_mode="nonsense")
    assert refused.value.status_code == 422


def test_a_run_may_make_its_thread(client):
    thread = str(uuid.uuid4())
    with pytest.raises(NotFoundError):
        client.runs.create(thread, "accumulate", input=1)
    assert client.runs.wait(thread, "accumulate", input=1, if_not_exists="create") == 0
    assert client.threads.get(thread)["thread_id"] == thread


def test_a_run_can_be_deleted(client, thread):
    client.runs.wait(thread, "accumulate", input=1)
    [run] = client.runs.list(thread)
    client.runs.delete(thread, run["run_id"])
    with pytest.raises(NotFoundError):
        client.runs.get(thread, run["run_id"])
    assert client.runs.list(thread) == []


def test_a_run_may_begin_later(client, thread):
    run = client.runs.create(thread, "accumulate", input=1, after_seconds=2)
    assert client.runs.get(thread, run["run_id"])["status"] == "pending"
    assert client.runs.join(thread, run["run_id"]) == 0


def test_many_wait_for_one_run(client, thread):
    run = client.runs.create(thread, "slow", input={"ticks": 5, "tag": "a"})
    results = []

    def join():
        results.append(client.runs.join(thread, run["run_id"]))

    joins = [threading.Thread(target=join) for _ in range(5)]
    for one in joins:
        one.start()
    for one in joins:
        one.join()
    assert results == [{"done": 5, "tag": "a", "previous": None}] * 5


def test_null_goes_on_from_a_failure(client, thread, unique):
    flaw = {"key": unique, "fail_times": 4}
    client.runs.wait(thread, "flaky", input=flaw, raise_error=False)
    assert client.threads.get_state(thread)["next"] == ["flaky"]
    assert client.runs.wait(thread, "flaky", input=None) == {"attempts": 5}


def test_configurable_and_context_exclude_each_other(client, thread):
    both = {"config": {"configurable": {"a": 1}}, "context": {"b": 2}}
    with pytest.raises(APIStatusError) as refused:
        client.runs.create(thread, "accumulate", input=1, **both)
    assert refused.value.status_code == 400


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
def test_durability(client, thread, durability):
    for expected in (0, 5):
        assert client.runs.wait(thread, "accumulate", input=5, durability=durability) == expected


def test_a_webhook_into_this_machine_is_refused(client, thread):
    with pytest.raises(APIStatusError) as refused:
        client.runs.create(
            thread, "accumulate", input=1, webhook="http://127.0.0.1:9/hook"
        )
    assert refused.value.status_code == 422
