"""Assistants: one for each program, and those that clients make."""

import uuid

import pytest
from langgraph_sdk.errors import ConflictError, NotFoundError

PROGRAMS = {
    "essay",
    "add_numbers",
    "flaky",
    "cached",
    "accumulate",
    "memory_store",
    "slow",
    "parallel_interrupts",
    "boom",
    "parent",
}

NAMES = uuid.UUID("6ba7b821-9dad-11d1-80b4-00c04fd430c8")


@pytest.fixture
def made(client):
    """Makes assistants, and deletes them after the test."""
    ids = []

    def make(**members):
        assistant = client.assistants.create(**members)
        ids.append(assistant["assistant_id"])
        return assistant

    yield make
    for assistant in ids:
        try:
            client.assistants.delete(assistant)
        except NotFoundError:
            pass


def test_each_program_has_an_assistant_from_the_start(client):
    found = client.assistants.search(metadata={"created_by": "system"}, limit=100)
    by_graph = {assistant["graph_id"]: assistant for assistant in found}
    assert PROGRAMS <= by_graph.keys()
    for graph in PROGRAMS:
        assistant = by_graph[graph]
        assert assistant["assistant_id"] == str(uuid.uuid5(NAMES, graph))
        assert (assistant["name"], assistant["version"]) == (graph, 1)
        assert assistant["metadata"]["created_by"] == "system"
        assert client.assistants.get(assistant["assistant_id"]) == assistant


@pytest.mark.differs
def test_a_graph_id_is_taken_wherever_an_assistant_is_named(client):
    assert client.assistants.get("essay")["graph_id"] == "essay"
    assert client.assistants.get_schemas("essay")["graph_id"] == "essay"


def test_unknown_assistants(client):
    with pytest.raises(NotFoundError):
        client.assistants.get(str(uuid.uuid4()))
    with pytest.raises(NotFoundError):
        client.assistants.create("no_such_program")


def test_a_life_of_an_assistant(client, made, unique):
    assistant = made(graph_id="essay", name=unique, metadata={"team": unique, "a": 1})
    id = assistant["assistant_id"]
    assert (assistant["graph_id"], assistant["name"], assistant["version"]) == ("essay", unique, 1)
    found = client.assistants.search(metadata={"team": unique})
    assert [one["assistant_id"] for one in found] == [id]
    assert client.assistants.count(metadata={"team": unique}) == 1

    changed = client.assistants.update(id, metadata={"b": 2}, description="short")
    assert (changed["version"], changed["description"]) == (2, "short")
    assert changed["metadata"].items() >= {"team": unique, "a": 1, "b": 2}.items()
    versions = client.assistants.get_versions(id)
    assert [one["version"] for one in versions] == [2, 1]

    client.assistants.delete(id)
    with pytest.raises(NotFoundError):
        client.assistants.get(id)
    assert client.assistants.count(metadata={"team": unique}) == 0


def test_an_id_is_taken_once(client, made):
    id = str(uuid.uuid4())
    first = made(graph_id="essay", assistant_id=id)
    with pytest.raises(ConflictError):
        client.assistants.create("essay", assistant_id=id)
    again = client.assistants.create("essay", assistant_id=id, if_exists="do_nothing")
    assert again["assistant_id"] == first["assistant_id"] and again["version"] == 1


def test_configurable_is_seen_as_context(made):
    assistant = made(graph_id="essay", config={"configurable": {"user": "ada"}})
    assert assistant["context"] == {"user": "ada"}


def test_runs_of_an_assistant_that_was_made(client, made, thread):
    assistant = made(graph_id="add_numbers", name="adds")
    result = client.runs.wait(thread, assistant["assistant_id"], input=[1, 2])
    assert result == [4, 5]
    metadata = client.threads.get(thread)["metadata"]
    assert metadata["graph_id"] == "add_numbers"
    assert metadata["assistant_id"] == assistant["assistant_id"]


def test_schemas(client):
    id = str(uuid.uuid5(NAMES, "essay"))
    schemas = client.assistants.get_schemas(id)
    assert schemas["graph_id"] == "essay"
    for name in ("input_schema", "output_schema", "config_schema"):
        assert schemas[name] is None or isinstance(schemas[name], dict), name


def test_the_graph_of_an_entrypoint(client):
    graph = client.assistants.get_graph("essay")
    assert {node["id"] for node in graph["nodes"]} == {"__start__", "essay", "__end__"}
    edges = {(edge["source"], edge["target"]) for edge in graph["edges"]}
    assert edges == {("__start__", "essay"), ("essay", "__end__")}


def test_pages(client, made, http, unique):
    for _ in range(3):
        made(graph_id="essay", metadata={"team": unique})
    body = {"metadata": {"team": unique}, "limit": 2}
    first = http.post("/assistants/search", json=body)
    assert len(first.json()) == 2
    assert first.headers["x-pagination-next"] == "2"
    last = http.post("/assistants/search", json=body | {"offset": 2})
    assert len(last.json()) == 1 and "x-pagination-next" not in last.headers
