"""What a client asks before it does anything, and how the server refuses."""

import uuid

import pytest


def test_it_is_up_and_says_what_it_offers(http):
    assert http.get("/ok").json()["ok"] is True
    assert http.get("/ok", params={"check_db": "1"}).json()["ok"] is True
    info = http.get("/info").json()
    assert isinstance(info["version"], str)
    assert info["flags"]["assistants"] is True
    assert isinstance(info["flags"]["crons"], bool)


@pytest.mark.differs
def test_crons_are_not_offered(client, http):
    assert http.get("/info").json()["flags"]["crons"] is False
    assert client.crons.search() == []


def test_the_interface_is_described(http):
    document = http.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    paths = document["paths"]
    for path in ("/threads/{thread_id}/runs/wait", "/assistants/search", "/store/items"):
        assert path in paths, path


def test_unknown_paths_and_methods(http):
    unknown = http.get("/nothing/here")
    assert (unknown.status_code, unknown.json()) == (404, {"detail": "Not Found"})
    odd = http.put("/threads/search", json={})
    assert (odd.status_code, odd.json()) == (405, {"detail": "Method Not Allowed"})


def test_bodies_that_are_no_json(http):
    for body in ("{", ""):
        refused = http.post("/threads/search", content=body)
        assert refused.status_code == 422
        assert refused.json() == {"detail": "Invalid JSON in request body"}


def test_the_type_of_the_body_is_not_enforced(http):
    headers = {"content-type": "text/plain"}
    assert http.post("/threads/search", content="{}", headers=headers).status_code == 200


def test_ids_are_uuids(http):
    refused = http.get("/threads/no-uuid")
    assert refused.status_code == 422 and "detail" in refused.json()
    assert http.get(f"/threads/{uuid.uuid4()}").status_code == 404


def test_other_origins_may_ask(http):
    asked = {
        "origin": "https://page.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "x-api-key,content-type,last-event-id,authorization",
    }
    preflight = http.options("/threads/search", headers=asked)
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] in ("*", "https://page.example")
    allowed = preflight.headers["access-control-allow-headers"].lower()
    if allowed != "*":
        for name in asked["access-control-request-headers"].split(","):
            assert name in allowed, name
    answer = http.post("/threads/search", json={}, headers={"origin": "https://page.example"})
    exposed = answer.headers["access-control-expose-headers"].lower()
    for name in ("content-location", "x-pagination-total", "x-pagination-next"):
        assert name in exposed, name


@pytest.mark.differs
def test_browsers_may_see_where_to_go_on(http):
    answer = http.post("/threads/search", json={}, headers={"origin": "https://page.example"})
    exposed = answer.headers["access-control-expose-headers"].lower().replace(" ", "")
    assert "location" in exposed.split(",")
