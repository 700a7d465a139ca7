"""Bodies: interprets the statements of a task or entrypoint.

There is one interpreter, a coroutine. Where LangGraph runs functions in threads, what it awaits
blocks the thread instead of suspending, so that a single step runs it to its end.
"""

import asyncio
import time
from typing import Any

from langgraph.config import get_stream_writer
from langgraph.errors import GraphBubbleUp
from langgraph.func import entrypoint
from langgraph.runtime import get_runtime
from langgraph.types import Command, Send, interrupt

import ordering
from errors import KINDS, program_error, shown_error
from expressions import evaluate, is_true, text
from messages import as_value


class Blocking:
    """Waits by blocking the thread."""

    async def result(self, future: Any) -> Any:
        return future.result()

    async def invoke(self, graph: Any, value: Any) -> Any:
        return graph.invoke(value)

    async def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class Suspending:
    """Waits in the event loop."""

    async def result(self, future: Any) -> Any:
        return await future

    async def invoke(self, graph: Any, value: Any) -> Any:
        return await graph.ainvoke(value)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def run_blocking(coroutine: Any) -> Any:
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise RuntimeError("a blocking body was suspended")


def named(function: Any, name: str) -> Any:
    """LangGraph names tasks, entrypoints and cache entries after functions."""
    function.__name__ = function.__qualname__ = name
    function.__module__ = "program"
    return function


class Made:
    """A call that was made."""

    def __init__(self, future: Any) -> None:
        self.future, self.task = future, ordering.CALLED.get()


class Return(Exception):
    """Ends a body; never seen by LangGraph."""

    def __init__(self, value: Any) -> None:
        self.value = value


class Body:
    def __init__(self, world: Any, waits: Any, variables: dict[str, Any]) -> None:
        self.world, self.waits, self.variables = world, waits, variables

    async def run(self, block: list[dict]) -> Any:
        try:
            await self.block(block)
        except Return as end:
            return end.value
        return None

    def value(self, expr: Any) -> Any:
        return evaluate(expr, self.variables, self.world.counts)

    def call(self, name: str, args: list) -> Made:
        return Made(self.world.tasks[name](*[self.value(arg) for arg in args]))

    async def wait(self, made: Made) -> Any:
        try:
            return await self.waits.result(made.future)
        finally:
            ordering.current.join(made.task)

    async def block(self, block: list[dict]) -> None:
        for statement in block:
            keyword = next(key for key in statement if hasattr(self, f"do_{key}"))
            found = await getattr(self, f"do_{keyword}")(statement)
            if "to" in statement:
                self.variables[statement["to"]] = found

    # --- one method for each statement -----------------------------------------------------

    async def do_let(self, s: dict) -> None:
        self.variables[s["let"]] = self.value(s["be"])

    async def do_do(self, s: dict) -> Any:
        return await self.wait(self.call(s["do"], s.get("args", [])))

    async def do_spawn(self, s: dict) -> Made:
        made = self.call(s["spawn"], s.get("args", []))
        if "push" in s:
            self.variables[s["push"]] = [*self.variables.get(s["push"], []), made]
        return made

    async def do_await(self, s: dict) -> Any:
        made = self.variables[s["await"]]
        if isinstance(made, list):
            return [await self.wait(one) for one in made]
        return await self.wait(made)

    async def do_sub(self, s: dict) -> Any:
        graph = self.world.graph(s["sub"])
        return as_value(await self.waits.invoke(graph, self.value(s.get("input"))))

    async def do_interrupt(self, s: dict) -> Any:
        return interrupt(self.value(s["interrupt"]))

    async def do_write(self, s: dict) -> None:
        get_stream_writer()(self.value(s["write"]))

    async def do_if(self, s: dict) -> None:
        await self.block(s["then"] if is_true(self.value(s["if"])) else s.get("else", []))

    async def do_for(self, s: dict) -> None:
        for item in self.value(s["in"]):
            self.variables[s["for"]] = item
            await self.block(s["body"])

    async def do_while(self, s: dict) -> None:
        while is_true(self.value(s["while"])):
            await self.block(s["body"])

    async def do_raise(self, s: dict) -> None:
        raise program_error(KINDS[s["raise"]], text(self.value(s.get("message", ""))))

    async def do_try(self, s: dict) -> None:
        try:
            await self.block(s["try"])
        except (GraphBubbleUp, Return):
            raise
        except Exception as error:
            if "error" in s:
                self.variables[s["error"]] = shown_error(error)
        else:
            return
        await self.block(s["catch"])

    async def do_sleep_ms(self, s: dict) -> None:
        await self.waits.sleep(s["sleep_ms"] / 1000)

    async def do_count(self, s: dict) -> None:
        self.world.count(s["count"])

    async def do_return(self, s: dict) -> None:
        raise Return(self.value(s["return"]))

    async def do_final(self, s: dict) -> None:
        value, save = self.value(s["final"])
        raise Return(entrypoint.final(value=value, save=save))

    async def do_command(self, s: dict) -> None:
        given = self.value(s["command"])
        raise Return([command(one) for one in given] if isinstance(given, list) else command(given))

    async def do_put(self, s: dict) -> None:
        namespace, key, value = self.value(s["put"])
        get_runtime().store.put(tuple(namespace), key, value)

    async def do_get(self, s: dict) -> Any:
        namespace, key = self.value(s["get"])
        item = get_runtime().store.get(tuple(namespace), key)
        return None if item is None else item.value

    async def do_delete(self, s: dict) -> None:
        namespace, key = self.value(s["delete"])
        get_runtime().store.delete(tuple(namespace), key)

    async def do_search(self, s: dict) -> list:
        return found_items(get_runtime().store, self.value(s["search"]), self.value(s.get("filter")))

    async def do_namespaces(self, s: dict) -> list:
        given = self.value(s["namespaces"])
        given = {key: tuple(v) if isinstance(v, list) else v for key, v in given.items()}
        return sorted(map(list, get_runtime().store.list_namespaces(**given)))


def command(given: dict) -> Command:
    """A command, from the end of a node or as input."""
    parts = {key: given[key] for key in ("update", "resume") if key in given}
    if "goto" in given:
        parts["goto"] = destinations(given["goto"])
    if given.get("graph") == "parent":
        parts["graph"] = Command.PARENT
    return Command(**parts)


def destinations(given: Any) -> Any:
    """Where a path or command leads: names as they stand, and sends."""
    if isinstance(given, list):
        return [destinations(one) for one in given]
    return Send(given["send"], given.get("input")) if isinstance(given, dict) else given


def found_items(store: Any, prefix: list, wanted: Any) -> list[dict]:
    """What is stored under a prefix, sorted."""
    items = store.search(tuple(prefix), filter=wanted, limit=1000)
    rows = [{"ns": list(i.namespace), "key": i.key, "value": i.value} for i in items]
    return sorted(rows, key=lambda row: (row["ns"], row["key"]))
