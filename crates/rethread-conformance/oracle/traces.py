"""What LangGraph hands out, in the form of traces. Ids stay as they are."""

from typing import Any

from langgraph.types import StateSnapshot

from errors import shown_error
from messages import shown


#: The trigger of what a body or a send has started.
PUSHED = "__pregel_push"


def interrupts(found: Any) -> list[dict]:
    """Questions, each once."""
    rows: list[dict] = []
    for one in found or ():
        raw = one if isinstance(one, dict) else {"id": one.id, "value": one.value}
        row = {"id": raw["id"], "value": shown(raw["value"])}
        if row not in rows:
            rows.append(row)
    return rows


def checkpoint_id(config: Any) -> str | None:
    return (config or {}).get("configurable", {}).get("checkpoint_id")


def _metadata(found: Any) -> Any:
    return found and {key: shown(value) for key, value in found.items() if key != "parents"}


def _task(found: Any) -> dict:
    get = found.get if isinstance(found, dict) else lambda key: getattr(found, key)
    row = {"name": get("name")}
    if get("error") is not None:
        row["error"] = shown_error(get("error"))
    if get("interrupts"):
        row["interrupts"] = interrupts(get("interrupts"))
    if get("result") is not None:
        row["result"] = shown(get("result"))
    # Of a node that is a graph; a checkpoint of a stream has only what names it.
    if not isinstance(found, dict) and isinstance(found.state, StateSnapshot):
        row["state"] = state(found.state)
    return row


def state(found: Any) -> dict:
    if found.metadata is None:
        return {"checkpoint": None}
    row = _checkpoint({key: getattr(found, key) for key in found._fields})
    row["interrupts"] = interrupts(found.interrupts)
    return row


def _checkpoint(found: dict) -> dict:
    return {
        "checkpoint": checkpoint_id(found["config"]),
        "parent": checkpoint_id(found["parent_config"]),
        "values": shown(found["values"]),
        "next": list(found["next"]),
        "metadata": _metadata(found["metadata"]),
        "tasks": [_task(one) for one in found["tasks"]],
    }


def _tasks(found: dict) -> dict:
    row = {"id": found["id"], "name": found["name"]}
    if "input" in found:
        given = found["input"]
        # A send has the same trigger, and one input.
        is_call = tuple(found["triggers"]) == (PUSHED,) and isinstance(given, tuple)
        return {"event": "start", **row, "input": shown(given[0] if is_call else given)}
    row = {"event": "finish", **row}
    if found["error"] is not None:
        row["error"] = shown_error(found["error"])
    elif found["interrupts"]:
        row["interrupts"] = interrupts(found["interrupts"])
    else:
        result = found["result"] or {}
        # A task or entrypoint has one result, a node one for each field that it writes.
        single = [result[key] for key in ("__return__", "__end__") if key in result]
        row["result"] = shown(single[0] if single else result)
    return row


def _updates(found: dict) -> dict:
    cached = (found.get("__metadata__") or {}).get("cached")
    ((name, value),) = ((key, value) for key, value in found.items() if key != "__metadata__")
    row = {"name": name, "value": shown(value)}
    return {**row, "cached": True} if cached else row


def _debug(found: dict) -> dict:
    inner = _checkpoint if found["type"] == "checkpoint" else _tasks
    return {"step": found["step"], "type": found["type"], "payload": inner(found["payload"])}


def event(mode: str, data: Any) -> dict:
    """One event, without its namespace."""
    if mode in ("values", "updates") and isinstance(data, dict) and "__interrupt__" in data:
        values = {key: value for key, value in data.items() if key != "__interrupt__"}
        row = {"mode": mode, "interrupts": interrupts(data["__interrupt__"])}
        return {**row, "value": shown(values)} if values else row
    if mode in ("values", "custom"):
        return {"mode": mode, "value": shown(data)}
    forms = {"updates": _updates, "tasks": _tasks, "checkpoints": _checkpoint, "debug": _debug}
    return {"mode": mode, **forms[mode](data)}
