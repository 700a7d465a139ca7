"""The newer protocol: commands, and one stream of events for a thread."""

import json
import uuid

import pytest
from conftest import wait_until


class Events:
    """Events of a thread as they come over one connection."""

    def __init__(self, http, thread, **asked):
        self.http, self.thread, self.asked = http, thread, asked

    def __iter__(self):
        url = f"/threads/{self.thread}/stream/events"
        with self.http.stream("POST", url, json=self.asked) as answer:
            assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    yield json.loads(line[6:])

    def until_end(self, runs=1):
        """All events up to the one that ends this many runs."""
        seen = []
        for event in self:
            seen.append(event)
            if is_end(event):
                runs -= 1
            if runs == 0:
                return seen


def is_end(event):
    params = event["params"]
    ends = ("completed", "interrupted", "failed")
    lifecycle = event["method"] == "lifecycle" and params["namespace"] == []
    return lifecycle and params["data"]["event"] in ends


def brief(events):
    """Method and data of events; of lifecycle only what happened."""
    short = []
    for event in events:
        data = event["params"]["data"]
        short.append((event["method"], data["event"] if event["method"] == "lifecycle" else data))
    return short


@pytest.fixture
def command(http, thread):
    numbers = iter(range(1, 100))

    def send(method, **params):
        body = {"id": next(numbers), "method": method, "params": params}
        answer = http.post(f"/threads/{thread}/commands", json=body)
        assert answer.status_code == 200
        answer = answer.json()
        assert answer["id"] == body["id"]
        return answer

    return send


@pytest.fixture
def events(http, thread):
    return lambda *channels, **more: Events(http, thread, channels=list(channels), **more)


def test_a_run_from_start_to_end(command, events, client, thread):
    started = command("run.start", assistant_id="parent", input=41)
    assert started["type"] == "success"
    run = started["result"]["run_id"]
    seen = events("values", "lifecycle").until_end()
    root = [event for event in seen if event["params"]["namespace"] == []]
    shown = brief(root)
    assert shown[0] == ("lifecycle", "running") and shown[-1] == ("lifecycle", "completed")
    assert ("values", {"child": 42}) in shown
    assert root[0]["params"]["data"]["graph_name"] == "parent"
    assert client.runs.get(thread, run)["status"] == "success"


def test_how_events_are_numbered(command, events):
    command("run.start", assistant_id="accumulate", input=1)
    first = events("values", "lifecycle").until_end()
    again = events("values", "lifecycle").until_end()
    for seen in (first, again):
        assert [event["seq"] for event in seen] == list(range(1, len(seen) + 1))
        assert all(event["type"] == "event" for event in seen)
        assert len({event["event_id"] for event in seen}) == len(seen)
    assert [event["event_id"] for event in first] == [event["event_id"] for event in again]


def test_a_question_and_its_answer(command, events):
    command("run.start", assistant_id="essay", input="cat")
    seen = brief(events("lifecycle", "input").until_end())
    assert [method for method, _ in seen] == ["lifecycle", "input.requested", "lifecycle"]
    assert (seen[0][1], seen[-1][1]) == ("running", "interrupted")
    asked = seen[1][1]
    assert asked["payload"]["essay"] == "An essay about topic: cat"
    answer = {"namespace": [], "interrupt_id": asked["interrupt_id"], "response": True}
    assert command("input.respond", **answer)["type"] == "success"
    done = brief(events("values", "lifecycle").until_end(runs=2))
    result = {"essay": "An essay about topic: cat", "is_approved": True}
    assert done[-2:] == [("values", result), ("lifecycle", "completed")]
    refused = command("input.respond", **answer)
    assert (refused["type"], refused["error"]) == ("error", "no_such_interrupt")


@pytest.mark.differs
def test_parallel_questions(command, events):
    command("run.start", assistant_id="parallel_interrupts", input=["a", "b"])
    seen = events("lifecycle", "input").until_end()
    asked = [one["params"]["data"] for one in seen if one["method"] == "input.requested"]
    assert [one["payload"]["question"] for one in asked] == ["a", "b"]
    responses = [
        {"namespace": [], "interrupt_id": one["interrupt_id"], "response": "!"} for one in asked
    ]
    assert command("input.respond", responses=responses)["type"] == "success"
    done = brief(events("values", "lifecycle").until_end(runs=2))
    assert done[-2:] == [("values", ["a=!", "b=!"]), ("lifecycle", "completed")]


def test_a_failure(command, events):
    command("run.start", assistant_id="boom", input="x")
    *_, end = events("lifecycle").until_end()
    data = end["params"]["data"]
    assert data["event"] == "failed" and "x" in json.dumps(data["error"])


def test_children_have_a_life_of_their_own(command, events):
    command("run.start", assistant_id="parent", input=41)
    seen = [
        (event["params"]["namespace"], event["params"]["data"]["event"])
        for event in events("lifecycle").until_end()
    ]
    children = [(place, what) for place, what in seen if place]
    assert [what for _, what in children] == ["started", "completed"]
    [[name]] = {tuple(place) for place, _ in children}
    assert name.startswith("parent:")


@pytest.mark.differs
def test_what_programs_write_is_seen(command, events):
    command("run.start", assistant_id="add_numbers", input=[1])
    seen = events("custom", "updates", "lifecycle").until_end()
    custom = [event for event in seen if event["method"] == "custom"]
    updates = [event for event in seen if event["method"] == "updates"]
    assert len(custom) == 3 and len(updates) >= 3


@pytest.mark.differs
def test_a_connection_from_before_the_thread_comes_alive(http):
    thread = str(uuid.uuid4())
    start = {
        "id": 1,
        "method": "run.start",
        "params": {"assistant_id": "slow", "input": {"ticks": 1}},
    }
    url = f"/threads/{thread}/stream/events"
    with http.stream("POST", url, json={"channels": ["lifecycle"]}) as answer:
        assert answer.status_code == 200
        assert http.post(f"/threads/{thread}/commands", json=start).json()["type"] == "success"
        for line in answer.iter_lines():
            if line.startswith("data: ") and is_end(json.loads(line[6:])):
                break


def test_commands_that_are_refused(http, thread, command):
    assert command("state.get")["error"] == "unknown_command"
    unknown = command("run.start", assistant_id="no_such_program", input=1)
    assert unknown["type"] == "error"
    nobody = command("input.respond", namespace=[], interrupt_id="f" * 32, response=1)
    assert nobody["error"] in ("no_such_interrupt", "no_such_run")
    broken = http.post(f"/threads/{thread}/commands", json={"method": 1})
    assert broken.status_code == 400


def test_channels_that_are_refused(http, thread):
    for channels in ([], ["nonsense"]):
        refused = http.post(f"/threads/{thread}/stream/events", json={"channels": channels})
        assert refused.status_code == 400


def test_the_stock_client_speaks_it(client, thread):
    with client.threads.stream(thread, assistant_id="slow") as stream:
        stream.run.start(input={"ticks": 2, "tag": "a"})
        assert stream.output == {"done": 2, "tag": "a", "previous": None}


def test_the_stock_client_answers_a_question(client, thread):
    with client.threads.stream(thread, assistant_id="essay") as stream:
        stream.run.start(input="cat")
        wait_until("the question", lambda: stream.interrupted and stream.interrupts)
        assert len(stream.interrupts) == 1
        stream.run.respond(True)

    def result():
        state = client.threads.get_state(thread)
        return state["next"] == [] and state["values"]

    done = {"essay": "An essay about topic: cat", "is_approved": True}
    assert wait_until("the result", result) == done
