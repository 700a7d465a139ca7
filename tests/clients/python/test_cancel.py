"""Cancelling, and what becomes of input for a thread that is busy."""

import time
import uuid

import pytest
from conftest import wait_until
from langgraph_sdk.errors import ConflictError, NotFoundError

LONG = {"ticks": 10_000, "tag": "long"}


def slow(client, thread, tag, ticks=1, **more):
    given = {"ticks": ticks, "tag": tag}
    return client.runs.create(thread, "slow", input=given, **more)["run_id"]


def test_a_run_is_cancelled(client, thread, started):
    run = client.runs.create(thread, "slow", input=LONG)["run_id"]
    started(thread, run)
    client.runs.cancel(thread, run, wait=True)
    assert client.runs.get(thread, run)["status"] == "interrupted"
    seen = wait_until(
        "the thread to rest",
        lambda: (now := client.threads.get(thread))["status"] != "busy" and now,
    )
    assert seen["status"] == "interrupted" and seen["interrupts"] == {}
    assert client.threads.get_state(thread)["next"] == ["slow"]
    assert client.runs.join(thread, run) in ({}, None)
    with pytest.raises(NotFoundError):
        client.runs.cancel(thread, run)
    result = client.runs.wait(thread, "slow", input={"ticks": 1, "tag": "next"})
    assert result == {"done": 1, "tag": "next", "previous": None}


def test_a_cancel_without_waiting(client, thread, ended):
    run = client.runs.create(thread, "slow", input=LONG)["run_id"]
    client.runs.cancel(thread, run)
    assert ended(thread, run) == "interrupted"


def test_a_waiting_run_is_cancelled(client, thread, ended):
    first = client.runs.create(thread, "slow", input=LONG)["run_id"]
    second = slow(client, thread, "second")
    client.runs.cancel(thread, second, wait=True)
    assert ended(thread, second) == "interrupted"
    assert client.runs.get(thread, first)["status"] in ("pending", "running")
    client.runs.cancel(thread, first, wait=True)


def test_null_goes_on_after_a_cancel(client, thread, started):
    run = slow(client, thread, "x", ticks=8)
    started(thread, run)
    client.runs.cancel(thread, run, wait=True)
    result = client.runs.wait(thread, "slow", input=None)
    assert result == {"done": 8, "tag": "x", "previous": None}


def test_rollback_leaves_no_trace(client, thread, started):
    client.runs.wait(thread, "slow", input={"ticks": 0, "tag": "before"})
    history = client.threads.get_history(thread)
    run = client.runs.create(thread, "slow", input=LONG)["run_id"]
    started(thread, run)
    client.runs.cancel(thread, run, action="rollback", wait=True)

    def gone():
        try:
            client.runs.get(thread, run)
        except NotFoundError:
            return True

    wait_until("the run to vanish", gone)
    left = client.threads.get_history(thread)
    assert [one["checkpoint"] for one in left] == [one["checkpoint"] for one in history]
    result = client.runs.wait(thread, "slow", input={"ticks": 0})
    assert result["previous"] == "before"


def test_deleting_a_run_that_goes_on_ends_it(client, thread, started):
    run = client.runs.create(thread, "slow", input=LONG)["run_id"]
    started(thread, run)
    client.runs.delete(thread, run)
    with pytest.raises(NotFoundError):
        client.runs.get(thread, run)
    assert client.runs.wait(thread, "slow", input={"ticks": 0})["done"] == 0


def test_many_are_cancelled_by_id(client, thread, ended):
    runs = [client.runs.create(thread, "slow", input=LONG)["run_id"] for _ in range(3)]
    client.runs.cancel_many(thread_id=thread, run_ids=runs)
    assert [ended(thread, run) for run in runs] == ["interrupted"] * 3
    with pytest.raises(NotFoundError):
        client.runs.cancel_many(thread_id=thread, run_ids=[str(uuid.uuid4())])


@pytest.mark.differs
def test_many_are_cancelled_by_thread_and_status(client, thread, ended):
    other = client.threads.create()["thread_id"]
    spared = client.runs.create(other, "slow", input=LONG)["run_id"]
    runs = [client.runs.create(thread, "slow", input=LONG)["run_id"] for _ in range(2)]
    client.runs.cancel_many(thread_id=thread, status="all")
    assert [ended(thread, run) for run in runs] == ["interrupted"] * 2
    assert client.runs.get(other, spared)["status"] in ("pending", "running")
    client.runs.cancel(other, spared, wait=True)


@pytest.mark.differs
def test_the_work_stops(client, thread, started):
    """A cancelled run writes nothing more."""
    run = client.runs.create(
        thread, "slow", input=LONG, stream_mode=["custom"], stream_resumable=True
    )["run_id"]
    started(thread, run)
    client.runs.cancel(thread, run, wait=True)
    first = list(client.runs.join_stream(thread, run, last_event_id="-1"))
    time.sleep(1)  # several ticks would fit
    assert list(client.runs.join_stream(thread, run, last_event_id="-1")) == first


# Input for a busy thread


def test_reject(client, thread):
    run = slow(client, thread, "first", ticks=10)
    with pytest.raises(ConflictError):
        slow(client, thread, "second", multitask_strategy="reject")
    assert client.runs.join(thread, run)["tag"] == "first"
    assert len(client.runs.list(thread)) == 1
    again = slow(client, thread, "third", multitask_strategy="reject")
    assert client.runs.join(thread, again) == {"done": 1, "tag": "third", "previous": "first"}


@pytest.mark.parametrize("strategy", [None, "enqueue"])
def test_enqueue(client, thread, strategy):
    tags = ["a", "b", "c", "d"]
    runs = [slow(client, thread, tag, multitask_strategy=strategy) for tag in tags]
    results = [client.runs.join(thread, run) for run in runs]
    assert results[-1]["previous"] == "c"
    assert [client.runs.get(thread, run)["status"] for run in runs] == ["success"] * 4
    done = [one["values"] for one in client.threads.get_history(thread, limit=100)]
    order = [values["tag"] for values in done if values]
    assert list(dict.fromkeys(order)) == tags[::-1], "in order of creation"


def test_interrupt(client, thread, started, ended):
    client.runs.wait(thread, "slow", input={"ticks": 0, "tag": "before"})
    first = client.runs.create(thread, "slow", input=LONG)["run_id"]
    started(thread, first)
    second = slow(client, thread, "second", multitask_strategy="interrupt")
    result = client.runs.join(thread, second)
    assert result == {"done": 1, "tag": "second", "previous": "before"}
    assert ended(thread, first) == "interrupted"


def test_rollback(client, thread, started):
    client.runs.wait(thread, "slow", input={"ticks": 0, "tag": "before"})
    first = client.runs.create(thread, "slow", input=LONG)["run_id"]
    started(thread, first)
    second = slow(client, thread, "second", multitask_strategy="rollback")
    result = client.runs.join(thread, second)
    assert result == {"done": 1, "tag": "second", "previous": "before"}
    with pytest.raises(NotFoundError):
        client.runs.get(thread, first)
    assert len(client.threads.get_history(thread, limit=100)) == 4


def test_interrupt_clears_those_that_wait_too(client, thread, started, ended):
    first = client.runs.create(thread, "slow", input=LONG)["run_id"]
    started(thread, first)
    waiting = slow(client, thread, "waiting")
    last = slow(client, thread, "last", multitask_strategy="interrupt")
    assert client.runs.join(thread, last)["tag"] == "last"
    assert [ended(thread, run) for run in (first, waiting)] == ["interrupted"] * 2
