"""Clients of the server that RETHREAD_URL names, and what the tests share."""

import os
import time
import uuid

import httpx
import pytest
from langgraph_sdk import get_sync_client
from operations import MUST, SHOULD, Calls

URL = os.environ.get("RETHREAD_URL", "http://127.0.0.1:8123")

# Longest wait for anything: the tests may share the machine with a build.
PATIENCE = 120.0

_stock, _plain = Calls(), Calls()


def _noting(calls):
    def note(response):
        calls.note(response.request.method, response.request.url.path, response.status_code)

    return {"response": [note]}


def wait_until(what, condition):
    """Waits until `condition` gives something, and gives it."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"waited {PATIENCE:.0f} s in vain for {what}")


@pytest.fixture(scope="session")
def url():
    return URL


@pytest.fixture(scope="session")
def client():
    """The stock client."""
    client = get_sync_client(url=URL, timeout=PATIENCE)
    client.http.client.event_hooks = _noting(_stock)
    return client


@pytest.fixture(scope="session")
def http():
    """For what the stock client does not offer, or does not show."""
    with httpx.Client(base_url=URL, timeout=PATIENCE, event_hooks=_noting(_plain)) as http:
        yield http


@pytest.fixture
def thread(client):
    """The id of a new thread."""
    return client.threads.create()["thread_id"]


@pytest.fixture
def unique():
    """A name that no other test has."""
    return f"n{uuid.uuid4().hex}"


@pytest.fixture
def ended(client):
    """Waits for the end of a run, and gives its status."""

    def wait(thread, run):
        def over():
            status = client.runs.get(thread, run)["status"]
            return status if status not in ("pending", "running") else None

        return wait_until(f"the end of run {run}", over)

    return wait


@pytest.fixture
def started(client):
    """Waits until a run has begun."""

    def wait(thread, run):
        return wait_until(
            f"the start of run {run}",
            lambda: client.runs.get(thread, run)["status"] == "running",
        )

    return wait


def pytest_terminal_summary(terminalreporter):
    both = Calls()
    both.seen = _stock.seen | _plain.seen
    line = "operations called: {} of {} MUST, {} of {} SHOULD; by the stock client: {}".format(
        len(both.seen.intersection(MUST)),
        len(MUST),
        len(both.seen.intersection(SHOULD)),
        len(SHOULD),
        len(_stock.seen),
    )
    terminalreporter.write_line(line)
    if missing := both.missing():
        terminalreporter.write_line("not called with success: " + ", ".join(missing))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session, exitstatus):
    # The whole suite has to call every operation; a part of it that was asked for does not.
    whole = not session.config.option.keyword and not session.config.option.markexpr
    whole = whole and not any("::" in arg or arg.endswith(".py") for arg in session.config.args)
    seen = Calls()
    seen.seen = _stock.seen | _plain.seen
    if whole and exitstatus == 0 and seen.missing():
        session.exitstatus = 1
