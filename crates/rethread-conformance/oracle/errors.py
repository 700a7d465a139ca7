"""Errors, in the form that traces show."""

import ast
import re
from typing import Any


class CustomError(Exception):
    """An error of a class that LangGraph knows nothing of."""


KINDS: dict[str, type[Exception]] = {
    kind.__name__: kind
    for kind in (
        ValueError,
        TypeError,
        KeyError,
        RuntimeError,
        OSError,
        TimeoutError,
        ConnectionError,
        CustomError,
    )
}

#: Errors of LangGraph itself: class, a part of the text, and the neutral kind.
OF_THE_ENGINE = (
    ("InvalidGraph", "", "InvalidGraph"),
    ("InvalidDestination", "", "InvalidDestination"),
    ("GraphRecursionError", "", "RecursionLimit"),
    ("ParentCommand", "", "NoParentGraph"),
    ("ValueError", "Branch did not return a valid destination", "InvalidDestination"),
    ("ValueError", "delete a message with an ID", "UnknownMessage"),
    ("ValueError", "recursion_limit", "InvalidLimit"),
    ("EmptyInputError", "", "EmptyInput"),
    ("InvalidUpdateError", "", "InvalidUpdate"),
    ("InvalidNamespaceError", "", "InvalidNamespace"),
    ("NodeTimeoutError", "", "TaskTimeout"),
    ("RuntimeError", "multiple pending interrupts", "AmbiguousResume"),
    ("RuntimeError", "without checkpointer", "NoCheckpointer"),
    ("RuntimeError", "outside of a runnable context", "OutsideRun"),
    ("ValueError", "No checkpointer set", "NoCheckpointer"),
    ("ValueError", "Checkpointer requires one or more", "MissingThread"),
    ("KeyError", "thread_id", "MissingThread"),
    ("KeyError", "configurable", "MissingThread"),
    ("UnboundLocalError", "resume_is_map", "EmptyCommand"),
    ("TypeError", "msgpack serializable", "NotSerializable"),
    ("TypeError", "exceeds 64-bit", "NotSerializable"),
)


def program_error(kind: type[Exception], message: str) -> Exception:
    """An error that a program raises: never taken for one of the engine."""
    error = kind(message)
    error.is_of_program = True  # type: ignore[attr-defined]
    return error


def shown_error(error: Any) -> dict[str, Any] | None:
    """An error, or the text under which a checkpoint keeps one."""
    if error is None:
        return None
    name, message = _parts(error)
    if not getattr(error, "is_of_program", False):
        for known, part, kind in OF_THE_ENGINE:
            if name == known and part in message:
                return {"kind": kind, "message": None}
    return {"kind": name, "message": message}


def _parts(error: Any) -> tuple[str, str]:
    if not isinstance(error, str):
        return type(error).__name__, str(error.args[0]) if error.args else ""
    kept = re.fullmatch(r"(\w+)\((.*)\)", error, re.DOTALL)
    if kept is None:
        return error, ""
    name, inner = kept.groups()
    try:
        args = ast.literal_eval(f"({inner},)") if inner else ()
    except (SyntaxError, ValueError):
        args = (inner,)
    return name, str(args[0]) if args else ""
