"""Threads: made, found, changed, copied, deleted."""

import uuid
from datetime import datetime

import pytest
from langgraph_sdk.errors import ConflictError, NotFoundError


def test_a_new_thread(client, unique):
    thread = client.threads.create(metadata={"team": unique})
    assert thread["status"] == "idle"
    assert thread["values"] is None
    assert thread["metadata"] == {"team": unique}
    assert datetime.fromisoformat(thread["created_at"]).tzinfo is not None
    seen = client.threads.get(thread["thread_id"])
    assert seen["thread_id"] == thread["thread_id"] and seen["metadata"] == {"team": unique}


def test_an_id_is_taken_once(client):
    id = str(uuid.uuid4())
    first = client.threads.create(thread_id=id, metadata={"a": 1})
    with pytest.raises(ConflictError):
        client.threads.create(thread_id=id)
    again = client.threads.create(thread_id=id, if_exists="do_nothing")
    assert again["metadata"] == first["metadata"]


def test_metadata_merges_key_by_key(client, thread):
    client.threads.update(thread, metadata={"a": 1, "b": {"x": 1}})
    changed = client.threads.update(thread, metadata={"b": {"y": 2}, "c": 3})
    assert changed["metadata"] == {"a": 1, "b": {"y": 2}, "c": 3}


def test_a_change_without_an_answer(http, thread):
    quiet = http.patch(
        f"/threads/{thread}", json={"metadata": {"a": 1}}, headers={"prefer": "return=minimal"}
    )
    assert (quiet.status_code, quiet.content) == (204, b"")
    assert http.get(f"/threads/{thread}").json()["metadata"] == {"a": 1}


def test_unknown_threads(client):
    unknown = str(uuid.uuid4())
    for ask in (
        client.threads.get,
        client.threads.delete,
        client.threads.get_state,
        lambda id: client.threads.update(id, metadata={}),
        lambda id: client.runs.create(id, "essay", input="cat"),
    ):
        with pytest.raises(NotFoundError):
            ask(unknown)


def test_deleted_threads_are_gone(client, thread):
    client.runs.wait(thread, "accumulate", input=5)
    client.threads.delete(thread)
    with pytest.raises(NotFoundError):
        client.threads.get(thread)
    with pytest.raises(NotFoundError):
        client.threads.get_state(thread)


@pytest.mark.differs
def test_deleting_a_busy_thread_stops_its_run(client, thread):
    run = client.runs.create(thread, "slow", input={"ticks": 10_000})
    client.threads.delete(thread)
    with pytest.raises(NotFoundError):
        client.threads.get(thread)
    with pytest.raises(NotFoundError):
        client.runs.get(thread, run["run_id"])
    # The id is free again, and what it names is empty.
    client.threads.create(thread_id=thread)
    assert client.runs.list(thread) == []
    assert client.runs.wait(thread, "accumulate", input=1) == 0


def test_a_thread_shows_its_last_result(client, thread):
    for expected in (0, 5):
        assert client.runs.wait(thread, "accumulate", input=5) == expected
        seen = client.threads.get(thread)
        assert (seen["status"], seen["values"]) == ("idle", expected)


def test_a_failed_thread(client, thread):
    client.runs.wait(thread, "boom", input="x", raise_error=False)
    seen = client.threads.get(thread)
    assert seen["status"] == "error"
    assert seen["error"]["message"] == "x"
    assert client.runs.wait(thread, "accumulate", input=5) == 0
    assert client.threads.get(thread)["status"] == "idle"


def test_an_interrupted_thread(client, thread):
    client.runs.wait(thread, "essay", input="cat")
    seen = client.threads.get(thread)
    assert seen["status"] == "interrupted"
    [[question]] = seen["interrupts"].values()
    assert question["value"]["essay"] == "An essay about topic: cat"


def test_search(client, unique):
    ids = []
    for number in range(3):
        metadata = {"team": unique, "number": number}
        ids.append(client.threads.create(metadata=metadata)["thread_id"])
    client.runs.wait(ids[0], "slow", input={"ticks": 0, "tag": unique})
    client.runs.wait(ids[1], "essay", input="cat")

    def found(**query):
        return [thread["thread_id"] for thread in client.threads.search(**query)]

    team = {"team": unique}
    assert set(found(metadata=team)) == set(ids)
    assert found(metadata=team | {"number": 2}) == [ids[2]]
    assert found(metadata=team, status="interrupted") == [ids[1]]
    assert set(found(metadata=team, ids=ids[:2])) == set(ids[:2])
    assert found(metadata=team, sort_by="created_at", sort_order="asc") == ids
    assert found(metadata=team, sort_by="created_at", sort_order="desc") == ids[::-1]
    assert found(metadata=team | {"graph_id": "essay"}) == [ids[1]]
    assert len(found(metadata=team, limit=2)) == 2
    assert len(found(metadata=team, limit=2, offset=2)) == 1
    assert client.threads.count(metadata=team) == 3
    assert client.threads.count(metadata=team, status="interrupted") == 1


@pytest.mark.differs
def test_search_by_values_among_scalars(client, thread, unique):
    client.runs.wait(client.threads.create()["thread_id"], "accumulate", input=1)
    client.runs.wait(thread, "slow", input={"ticks": 0, "tag": unique})
    found = client.threads.search(values={"tag": unique})
    assert [one["thread_id"] for one in found] == [thread]


def test_select_and_extract(client, thread, unique):
    client.threads.update(thread, metadata={"team": unique})
    client.runs.wait(thread, "slow", input={"ticks": 0, "tag": unique})
    [found] = client.threads.search(metadata={"team": unique}, select=["thread_id", "status"])
    assert found == {"thread_id": thread, "status": "idle"}
    [found] = client.threads.search(metadata={"team": unique}, extract={"tag": "values.tag"})
    assert found["extracted"] == {"tag": unique}


def test_a_copy_has_the_history_and_goes_its_own_way(client, thread):
    for n in (5, 7):
        client.runs.wait(thread, "accumulate", input=n)
    copy = client.threads.copy(thread)["thread_id"]
    assert copy != thread
    assert client.threads.get_state(copy)["values"] == 5
    assert len(client.threads.get_history(copy)) == len(client.threads.get_history(thread))
    assert client.runs.list(copy) == []
    assert client.runs.wait(copy, "accumulate", input=1) == 12
    assert client.runs.wait(thread, "accumulate", input=100) == 12


@pytest.mark.differs
def test_a_copy_of_a_thread_with_a_question_can_be_answered(client, thread):
    client.runs.wait(thread, "essay", input="cat")
    copy = client.threads.copy(thread)["thread_id"]
    assert client.threads.get(copy)["status"] == "interrupted"
    result = client.runs.wait(copy, "essay", command={"resume": True})
    assert result == {"essay": "An essay about topic: cat", "is_approved": True}
    assert client.threads.get(thread)["status"] == "interrupted"


def test_a_thread_with_a_life_time(client):
    thread = client.threads.create(ttl={"ttl": 60, "strategy": "delete"})["thread_id"]
    assert client.threads.get(thread, include=["ttl"])["thread_id"] == thread
