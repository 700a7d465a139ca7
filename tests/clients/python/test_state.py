"""State, history, changing it, and going back to it."""

import uuid

import pytest
from langgraph_sdk.errors import APIStatusError, ConflictError, NotFoundError


def test_a_thread_that_never_ran(client, thread):
    state = client.threads.get_state(thread)
    assert state["values"] in ({}, None)
    assert (state["next"], state["tasks"], state["interrupts"]) == ([], [], [])
    assert client.threads.get_history(thread) == []


def test_the_members_of_a_state(client, thread):
    client.runs.wait(thread, "accumulate", input=5)
    state = client.threads.get_state(thread)
    assert state["values"] == 0 and state["next"] == []
    checkpoint = state["checkpoint"]
    assert checkpoint["thread_id"] == thread and checkpoint["checkpoint_ns"] == ""
    # Clients sort the ids by time as texts, which these versions allow.
    assert uuid.UUID(checkpoint["checkpoint_id"]).version in (6, 7)
    assert state["checkpoint_id"] == checkpoint["checkpoint_id"]
    assert state["parent_checkpoint"]["checkpoint_id"] == state["parent_checkpoint_id"]
    metadata = state["metadata"]
    assert (metadata["source"], metadata["step"], metadata["thread_id"]) == ("loop", 0, thread)
    [run] = client.runs.list(thread)
    assert metadata["run_id"] == run["run_id"]


def test_history_is_newest_first_with_two_steps_a_run(client, thread):
    for n in (5, 7):
        client.runs.wait(thread, "accumulate", input=n)
    history = client.threads.get_history(thread)
    told = [(one["metadata"]["source"], one["metadata"]["step"]) for one in history]
    assert told == [("loop", 2), ("input", 1), ("loop", 0), ("input", -1)]
    assert [one["values"] for one in history] == [5, 0, 0, None]
    assert history[1]["next"] == ["accumulate"] and history[0]["next"] == []
    [task] = history[1]["tasks"]
    assert task["name"] == "accumulate"
    ids = [one["checkpoint"]["checkpoint_id"] for one in history]
    assert ids == sorted(ids, reverse=True), "ids sort by time"
    for newer, older in zip(history, history[1:]):
        assert newer["parent_checkpoint"]["checkpoint_id"] == older["checkpoint"]["checkpoint_id"]


def test_history_by_pages(client, http, thread):
    for n in (5, 7, 1):
        client.runs.wait(thread, "accumulate", input=n)
    whole = client.threads.get_history(thread, limit=100)
    assert len(client.threads.get_history(thread, limit=2)) == 2
    assert len(http.post(f"/threads/{thread}/history", json={}).json()) == 1
    assert len(http.get(f"/threads/{thread}/history", params={"limit": 3}).json()) == 3
    second = whole[1]["checkpoint"]["checkpoint_id"]
    rest = http.get(f"/threads/{thread}/history", params={"limit": 100, "before": second}).json()
    assert [one["checkpoint"] for one in rest] == [one["checkpoint"] for one in whole[2:]]


@pytest.mark.differs
def test_history_before_a_checkpoint_as_clients_send_it(client, http, thread):
    for n in (5, 7):
        client.runs.wait(thread, "accumulate", input=n)
    whole = client.threads.get_history(thread)
    rest = [one["checkpoint"] for one in whole[2:]]
    checkpoint = whole[1]["checkpoint"]
    found = client.threads.get_history(thread, before=checkpoint)
    assert [one["checkpoint"] for one in found] == rest
    for before in (checkpoint["checkpoint_id"], {"configurable": checkpoint}):
        body = {"limit": 10, "before": before}
        found = http.post(f"/threads/{thread}/history", json=body).json()
        assert [one["checkpoint"] for one in found] == rest


def test_history_by_metadata(client, thread):
    client.runs.wait(thread, "accumulate", input=5, metadata={"who": "ada"})
    client.runs.wait(thread, "accumulate", input=7, metadata={"who": "bob"})
    found = client.threads.get_history(thread, metadata={"who": "ada"})
    assert [one["values"] for one in found] == [0, None]


def test_state_at_a_checkpoint(client, http, thread):
    for n in (5, 7):
        client.runs.wait(thread, "accumulate", input=n)
    older = client.threads.get_history(thread)[2]
    id = older["checkpoint"]["checkpoint_id"]
    assert client.threads.get_state(thread, checkpoint_id=id)["values"] == 0
    state = client.threads.get_state(thread, checkpoint=older["checkpoint"])
    assert state["checkpoint"]["checkpoint_id"] == id
    # Without an id: the newest.
    body = {"checkpoint": {"thread_id": thread}, "subgraphs": False}
    newest = http.post(f"/threads/{thread}/state/checkpoint", json=body).json()
    assert newest["values"] == 5


def test_time_travel(client, thread):
    for n in (5, 7, 1):
        client.runs.wait(thread, "accumulate", input=n)
    history = client.threads.get_history(thread)
    after_first = history[4]["checkpoint"]["checkpoint_id"]
    result = client.runs.wait(thread, "accumulate", input=100, checkpoint_id=after_first)
    assert result == 5, "previous is the one that was saved there"
    assert client.runs.wait(thread, "accumulate", input=1) == 105, "the fork is the head now"
    assert len(client.threads.get_history(thread, limit=100)) == 10


def test_setting_the_state(client, thread):
    client.runs.wait(thread, "slow", input={"ticks": 0, "tag": "x"})
    values = {"done": 0, "tag": "set", "previous": None}
    answer = client.threads.update_state(thread, values)
    assert answer["checkpoint"]["thread_id"] == thread
    assert answer["checkpoint_id"] == answer["checkpoint"]["checkpoint_id"]
    assert answer["configurable"] == answer["checkpoint"]
    state = client.threads.get_state(thread)
    assert state["values"] == values and state["next"] == []
    assert state["metadata"]["source"] == "update"
    result = client.runs.wait(thread, "slow", input={"ticks": 0})
    assert result["previous"] == "set", "it is what the next run finds"


@pytest.mark.differs
def test_setting_the_state_to_a_scalar(client, thread):
    client.runs.wait(thread, "accumulate", input=5)
    client.threads.update_state(thread, 100)
    assert client.threads.get_state(thread)["values"] == 100
    assert client.runs.wait(thread, "accumulate", input=1) == 100


def test_the_state_is_not_set_under_a_run(client, thread):
    run = client.runs.create(thread, "slow", input={"ticks": 10_000})
    with pytest.raises(ConflictError):
        client.threads.update_state(thread, {"a": 1})
    client.runs.cancel(thread, run["run_id"], wait=True)


def test_the_state_is_not_set_where_nothing_ever_ran(client, thread):
    with pytest.raises(APIStatusError) as refused:
        client.threads.update_state(thread, {"a": 1})
    assert refused.value.status_code == 400


def test_unknown_checkpoints(client, thread):
    client.runs.wait(thread, "accumulate", input=5)
    unknown = "1f1e503e-b82d-66ad-bfff-dbbdf925de80"
    try:
        state = client.threads.get_state(thread, checkpoint_id=unknown)
    except NotFoundError:
        return
    assert state["values"] in ({}, None), "an empty state, or none"
