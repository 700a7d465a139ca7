"""RemoteGraph: a program on the server, used like a local one of LangGraph."""

import pytest
from langgraph.pregel.remote import RemoteException, RemoteGraph
from langgraph.types import Command


@pytest.fixture
def remote(url, client):
    def graph(name):
        return RemoteGraph(name, url=url, sync_client=client)

    return graph


@pytest.fixture
def config(thread):
    return {"configurable": {"thread_id": thread}}


def test_invoke_without_a_thread(remote):
    assert remote("add_numbers").invoke([1, 2]) == [4, 5]
    assert remote("parent").invoke(41) == {"child": 42}


def test_a_thread_remembers(remote, config):
    graph = remote("accumulate")
    assert [graph.invoke(n, config) for n in (5, 7, 1)] == [0, 5, 12]


def test_stream(remote):
    graph = remote("add_numbers")
    assert list(graph.stream([1], stream_mode="updates")) == [
        {"add_one": 2},
        {"add_two": 4},
        {"add_numbers": [4]},
    ]
    both = [tuple(part)[:2] for part in graph.stream([1], stream_mode=["custom", "updates"])]
    assert both[0] == ("custom", "hello") and both[-1] == ("updates", {"add_numbers": [4]})


def test_a_failure(remote, config):
    with pytest.raises(RemoteException, match="x"):
        remote("boom").invoke("x", config)


def test_a_question_and_its_answer(remote, config):
    graph = remote("essay")
    asked = graph.invoke("cat", config)
    [question] = asked["__interrupt__"]
    shown = question["value"] if isinstance(question, dict) else question.value
    assert shown["essay"] == "An essay about topic: cat"
    state = graph.get_state(config)
    assert state.next == ("essay",)
    [pending] = state.interrupts
    assert pending.value["action"] == "Please approve/reject the essay"
    done = graph.invoke(Command(resume=True), config)
    assert done == {"essay": "An essay about topic: cat", "is_approved": True}
    assert graph.get_state(config).values == done


def test_history(remote, config):
    graph = remote("accumulate")
    for n in (5, 7):
        graph.invoke(n, config)
    history = list(graph.get_state_history(config))
    assert [state.values for state in history] == [5, 0, 0, None]
    at = graph.get_state(history[2].config)
    assert at.values == 0 and at.config["configurable"] == history[2].config["configurable"]


def test_setting_the_state(remote, config):
    graph = remote("slow")
    graph.invoke({"ticks": 0, "tag": "x"}, config)
    values = {"done": 0, "tag": "set", "previous": None}
    changed = graph.update_state(config, values)
    assert changed["configurable"]["checkpoint_id"]
    assert graph.get_state(config).values == values
    assert graph.invoke({"ticks": 0}, config)["previous"] == "set"


def test_the_graph(remote):
    graph = remote("essay").get_graph()
    assert set(graph.nodes) == {"__start__", "essay", "__end__"}
