"""The store: what programs and clients remember together."""

import pytest
from langgraph_sdk.errors import APIStatusError


def test_put_get_delete(client, unique):
    namespace = ["tests", unique]
    client.store.put_item(namespace, "k", {"a": 1})
    item = client.store.get_item(namespace, "k")
    assert (item["namespace"], item["key"], item["value"]) == (namespace, "k", {"a": 1})
    assert item["created_at"] <= item["updated_at"]
    client.store.put_item(namespace, "k", {"a": 2})
    assert client.store.get_item(namespace, "k")["value"] == {"a": 2}
    client.store.delete_item(namespace, "k")
    client.store.delete_item(namespace, "k")
    assert client.store.search_items(namespace)["items"] == []


def test_what_is_absent(http, unique):
    answer = http.get("/store/items", params={"namespace": f"tests.{unique}", "key": "k"})
    assert (answer.status_code, answer.json()) == (200, None)


def test_search(client, unique):
    namespace = ["tests", unique]
    for n in range(5):
        value = {"n": n, "even": n % 2 == 0, "deep": {"n": n}}
        client.store.put_item([*namespace, "x" if n < 3 else "y"], f"k{n}", value)

    def found(prefix=namespace, **query):
        items = client.store.search_items(prefix, **query)["items"]
        return sorted(item["value"]["n"] for item in items)

    assert found() == [0, 1, 2, 3, 4]
    assert found([*namespace, "x"]) == [0, 1, 2]
    assert found(filter={"even": True}) == [0, 2, 4]
    assert found(filter={"n": {"$gte": 3}}) == [3, 4]
    assert found(filter={"n": {"$gt": 3}}) == [4]
    assert found(filter={"n": {"$lt": 1}}) == [0]
    assert found(filter={"n": {"$lte": 1}}) == [0, 1]
    assert found(filter={"n": {"$ne": 0}}) == [1, 2, 3, 4]
    assert found(filter={"n": {"$eq": 2}}) == [2]
    assert len(found(limit=2)) == 2
    assert len(found(limit=10, offset=4)) == 1


def test_namespaces(client, unique):
    for name in ("a", "b"):
        client.store.put_item(["tests", unique, name, "leaf"], "k", {"n": 1})
    listed = client.store.list_namespaces(prefix=["tests", unique])["namespaces"]
    assert sorted(listed) == [["tests", unique, name, "leaf"] for name in ("a", "b")]
    short = client.store.list_namespaces(prefix=["tests", unique], max_depth=3)["namespaces"]
    assert sorted(short) == [["tests", unique, name] for name in ("a", "b")]
    by_end = client.store.list_namespaces(
        prefix=["tests", unique], suffix=["leaf"], limit=1, offset=1
    )
    assert len(by_end["namespaces"]) == 1


def test_programs_and_clients_share_it(client, unique):
    client.store.put_item(["memories", unique], "by-hand", {"text": "from outside"})
    visit = {"user": unique, "remember": "from within"}
    result = client.runs.wait(None, "memory_store", input=visit)
    assert result == {"memories": ["from outside", "from within"]}
    items = client.store.search_items(["memories", unique])["items"]
    assert sorted(item["value"]["text"] for item in items) == result["memories"]


def test_namespaces_that_are_refused(http):
    def put(namespace):
        body = {"namespace": namespace, "key": "k", "value": {}}
        return http.put("/store/items", json=body).status_code

    assert put([]) in (400, 422)
    assert put(["a.b"]) in (400, 422)
    assert put(["a", ""]) in (400, 422)


def test_a_life_time(client, unique):
    client.store.put_item(["tests", unique], "k", {"a": 1}, ttl=60)
    assert client.store.get_item(["tests", unique], "k")["value"] == {"a": 1}


@pytest.mark.differs
def test_what_belongs_to_the_server_is_out_of_reach(client):
    with pytest.raises(APIStatusError) as refused:
        client.store.put_item(["@http"], "k", {})
    assert refused.value.status_code in (400, 403, 422)
    listed = client.store.list_namespaces(limit=1000)["namespaces"]
    assert not [namespace for namespace in listed if namespace[0].startswith("@")]
