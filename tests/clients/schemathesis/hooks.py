"""Lets half of the requests that schemathesis makes up name what is there: programs, and the
threads, runs, assistants and checkpoints of earlier answers. Without it hardly any would be more
than refused."""

import atexit
import random

import requests
import schemathesis

# What the programs of the example take.
INPUTS = {
    "add_numbers": [1, 2],
    "accumulate": 5,
    "boom": "x",
    "chat": {"messages": [{"type": "human", "content": "send a letter", "id": "m"}]},
    "essay": "cat",
    "memory_store": {"user": "u", "remember": "owls"},
    "parallel_interrupts": ["a", "b"],
    "parent": 41,
    "slow": {"ticks": 3, "tag": "a"},
}

# Operations on a run that goes on.
CANCELS = ("POST /runs/cancel", "POST /threads/{thread_id}/runs/{run_id}/cancel")

# How many of each kind are remembered: the newest.
REMEMBERED = 20

_choices = random.Random(1)
_seen = {"thread_id": [], "run_id": [], "assistant_id": [], "checkpoint_id": []}
_threads_of_runs = {}
_asked, _answered = set(), set()


@schemathesis.hook
def before_call(context, case, kwargs):
    if isinstance(case.body, dict):
        _change_body(case.body, case.operation.method)
    path = case.path_parameters or {}
    if not isinstance(path, dict) or _choices.random() < 0.5:
        return
    if case.operation.label in CANCELS:
        run = _long_run(case.operation.base_url)
        path.update({name: run[name] for name in path})
        if isinstance(case.body, dict):
            case.body = {"thread_id": run["thread_id"], "run_ids": [run["run_id"]]}
        return
    for name in path:
        if _seen.get(name):
            path[name] = _known(name)
    if "run_id" in path and "thread_id" in path:
        path["thread_id"] = _threads_of_runs.get(path["run_id"], path["thread_id"])


def _known(name):
    """One that is there; often the newest."""
    seen = _seen[name]
    return seen[-1] if _choices.random() < 0.5 else _choices.choice(seen)


def _long_run(base):
    base = base.rstrip("/")
    thread = requests.post(f"{base}/threads", json={}, timeout=60).json()["thread_id"]
    run = {"assistant_id": "slow", "input": {"ticks": 100}}
    return requests.post(f"{base}/threads/{thread}/runs", json=run, timeout=60).json()


def _change_body(body, method):
    # Nobody waits for a run of tomorrow.
    if isinstance(body.get("after_seconds"), int | float):
        body["after_seconds"] = min(body["after_seconds"], 1)
    if _choices.random() < 0.5:
        return
    program = _choices.choice(list(INPUTS))
    if "assistant_id" in body:
        body["assistant_id"] = program
        if _choices.random() < 0.8:
            body["input"] = INPUTS[program]
        # What no loopback server is told by default.
        body.pop("webhook", None)
    # The programs keep the assistants of their names.
    if "graph_id" in body and method.upper() != "PATCH":
        body["graph_id"] = program
    if "method" in body and _choices.random() < 0.8:
        body["method"] = "run.start"
        body["params"] = {"assistant_id": program, "input": INPUTS[program]}
    for name in ("thread_id", "checkpoint_id"):
        if name in body and _seen[name]:
            body[name] = _known(name)
    if "thread_ids" in body and _seen["thread_id"]:
        body["thread_ids"] = [_known("thread_id")]
    if "run_ids" in body and _threads_of_runs:
        run = _known("run_id")
        body["run_ids"] = [run]
        body["thread_id"] = _threads_of_runs.get(run)


@schemathesis.hook
def after_call(context, case, response):
    _asked.add(case.operation.label)
    if response.status_code >= 300:
        return
    _answered.add(case.operation.label)
    try:
        answer = response.json()
    except ValueError:
        return
    for one in answer if isinstance(answer, list) else [answer]:
        if isinstance(one, dict):
            _remember(one)


def _remember(one):
    for name, seen in _seen.items():
        if isinstance(one.get(name), str):
            seen.append(one[name])
            del seen[:-REMEMBERED]
    if "run_id" in one and "thread_id" in one:
        _threads_of_runs[one["run_id"]] = one["thread_id"]


@atexit.register
def _report():
    print(f"answered with success: {len(_answered)} of {len(_asked)} operations")
    if never := sorted(_asked - _answered):
        print("never: " + ", ".join(never))
