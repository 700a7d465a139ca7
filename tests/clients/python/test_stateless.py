"""Runs without a thread."""

import httpx
import pytest
from conftest import wait_until


def test_wait(client):
    assert client.runs.wait(None, "add_numbers", input=[1, 2]) == [4, 5]
    assert client.runs.wait(None, "accumulate", input=5) == 0
    assert client.runs.wait(None, "accumulate", input=5) == 0, "nothing is kept between calls"


def test_stream(client):
    modes = ["custom", "values"]
    first, *rest = list(client.runs.stream(None, "add_numbers", input=[1], stream_mode=modes))
    assert first.event == "metadata"
    assert [(part.event, part.data) for part in rest] == [
        ("custom", "hello"),
        ("custom", {"processing": 1}),
        ("custom", "world"),
        ("values", [4]),
    ]


def test_a_failure(client):
    with pytest.raises(Exception, match="x"):
        client.runs.wait(None, "boom", input="x")


def test_a_question_is_shown(client):
    [question] = client.runs.wait(None, "essay", input="cat")["__interrupt__"]
    assert question["value"]["essay"] == "An essay about topic: cat"


def remembered(client, user):
    items = client.store.search_items(["memories", user])["items"]
    return sorted(item["value"]["text"] for item in items)


def test_create(client, http, unique):
    body = {"assistant_id": "memory_store", "input": {"user": unique, "remember": "owls"}}
    made = http.post("/runs", json=body)
    run = made.json()
    assert run["status"] == "pending"
    assert made.headers["content-location"] == f"/runs/{run['run_id']}"
    assert client.runs.create(None, "memory_store", input={"user": unique, "remember": "bees"})
    wait_until("both runs", lambda: remembered(client, unique) == ["bees", "owls"])


def test_create_many(client, unique):
    payloads = [
        {"assistant_id": "memory_store", "input": {"user": unique, "remember": f"m{n}"}}
        for n in range(5)
    ]
    runs = client.runs.create_batch(payloads)
    assert len({run["run_id"] for run in runs}) == 5
    expected = [f"m{n}" for n in range(5)]
    wait_until("all runs", lambda: remembered(client, unique) == expected)


def test_kept_threads_can_be_read(client):
    made = {}
    result = client.runs.wait(
        None, "accumulate", input=5, on_completion="keep", on_run_created=made.update
    )
    assert result == 0 and made["run_id"]
    run = client.runs.create(None, "accumulate", input=5, on_completion="keep")
    thread = run["thread_id"]
    client.runs.join(thread, run["run_id"])
    assert client.threads.get_state(thread)["values"] == 0


@pytest.mark.differs
def test_a_stream_is_joined_again_where_it_says(client, http):
    body = {
        "assistant_id": "slow",
        "input": {"ticks": 5},
        "stream_mode": ["custom"],
        "stream_resumable": True,
    }
    with http.stream("POST", "/runs/stream", json=body) as answer:
        place = answer.headers["location"]
        for line in answer.iter_lines():
            if line.startswith("event: custom"):
                break
    assert place.startswith("/runs/")
    again = http.get(place, headers={"last-event-id": "-1"})
    assert again.status_code == 200
    assert again.text.count("event: custom") == 5


@pytest.mark.differs
def test_going_away_ends_the_run_when_asked(client, http):
    body = {
        "assistant_id": "slow",
        "input": {"ticks": 10_000},
        "stream_mode": ["custom"],
        "on_disconnect": "cancel",
    }
    with http.stream("POST", "/runs/stream", json=body) as answer:
        place = answer.headers["location"]
        for line in answer.iter_lines():
            if line.startswith("event: custom"):
                break

    def over():
        try:
            return http.get(place, headers={"last-event-id": "-1"}, timeout=5)
        except httpx.TimeoutException:
            return None

    assert wait_until("the end of the run", over) is not None
