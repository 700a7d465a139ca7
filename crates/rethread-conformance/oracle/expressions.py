"""Expressions of the conformance language."""

import json
from typing import Any, Callable


class Opaque:
    """A value that no serializer takes."""


def is_true(value: Any) -> bool:
    return value not in (None, False, 0, "") and value != [] and value != {}


def plain(value: Any) -> Any:
    """A value of a program as JSON."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return {"$opaque": type(value).__name__}


def text(value: Any) -> str:
    """A text is itself, everything else is JSON with sorted keys."""
    if isinstance(value, str):
        return value
    return json.dumps(plain(value), sort_keys=True, ensure_ascii=False)


def element(value: Any, key: Any) -> Any:
    """An element by key or by index; nothing where there is none."""
    if isinstance(value, dict):
        return value.get(text(key))
    if isinstance(value, list):
        place = int(key)
        return value[place] if -len(value) <= place < len(value) else None
    return None


def total(items: list) -> Any:
    result = items[0]
    for item in items[1:]:
        result = result + item
    return result


FUNCTIONS: dict[str, Callable] = {
    "$add": total,
    "$sub": lambda items: items[0] - items[1],
    "$mul": lambda items: items[0] * items[1],
    "$mod": lambda items: items[0] % items[1],
    "$eq": lambda items: items[0] == items[1],
    "$lt": lambda items: items[0] < items[1],
    "$not": lambda value: not is_true(value),
    "$len": len,
    "$str": text,
    "$cat": lambda items: "".join(map(text, items)),
    "$range": lambda end: list(range(end)),
    "$get": lambda items: element(items[0], items[1]),
    "$push": lambda items: [*items[0], items[1]],
    "$merge": lambda items: {**items[0], **items[1]},
}


def evaluate(expr: Any, variables: dict[str, Any], counters: dict[str, int]) -> Any:
    """The value of an expression."""

    def value(inner: Any) -> Any:
        return evaluate(inner, variables, counters)

    if isinstance(expr, list):
        return [value(item) for item in expr]
    if not isinstance(expr, dict):
        return expr
    name = next(iter(expr), "")
    if len(expr) != 1 or not name.startswith("$"):
        return {key: value(item) for key, item in expr.items()}
    argument = expr[name]
    match name:
        case "$":
            first, *path = argument.split(".")
            found = variables.get(first)
            for key in path:
                found = element(found, key)
            return found
        case "$quote":
            return argument
        case "$opaque":
            return Opaque()
        case "$count":
            return counters.get(argument, 0)
        case "$if":
            condition, then, otherwise = argument
            return value(then if is_true(value(condition)) else otherwise)
        case "$and":
            return all(is_true(value(item)) for item in argument)
        case "$or":
            return any(is_true(value(item)) for item in argument)
        case "$else":
            found = value(argument[0])
            return value(argument[1]) if found is None else found
    return FUNCTIONS[name](value(argument))
