"""Messages: objects in LangGraph, plain values in programs and traces."""

import re
from typing import Any

from langchain_core.messages import BaseMessage
from langgraph.types import Command, Send

from expressions import plain

#: What LangGraph makes up for a message that has no id.
MADE_UP = re.compile(r"(run-)?[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}")
#: What is left out of a message where it is empty.
OPTIONAL = ("name", "tool_calls", "tool_call_id")


def as_value(found: Any) -> Any:
    """What LangGraph holds, as programs see it."""
    if isinstance(found, dict):
        return {key: as_value(item) for key, item in found.items()}
    if isinstance(found, (list, tuple)):
        return [as_value(item) for item in found]
    if isinstance(found, BaseMessage):
        row = {"type": found.type, "content": as_value(found.content), "id": found.id}
        more = {key: as_value(getattr(found, key, None)) for key in OPTIONAL}
        return row | {key: item for key, item in more.items() if item}
    if isinstance(found, Send):
        return {"send": found.node, "input": as_value(found.arg)}
    if isinstance(found, Command):
        parts = {"update": found.update, "goto": found.goto, "graph": found.graph}
        return {key: as_value(part) for key, part in parts.items() if part}
    return found


def shown(found: Any) -> Any:
    """The same as traces show it: ids that were made up are not told."""
    return _without_chance(plain(as_value(found)))


def _without_chance(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_chance(item) for item in value]
    if not isinstance(value, dict):
        return value
    row = {key: _without_chance(item) for key, item in value.items()}
    is_message = {"type", "content", "id"} <= row.keys()
    if is_message and isinstance(row["id"], str) and MADE_UP.fullmatch(row["id"]):
        row["id"] = "auto"
    return row
