"""Builds the tasks, entrypoints and graphs of a case with LangGraph."""

import concurrent.futures
import threading
from typing import Any

from langgraph._internal._constants import CONF, CONFIG_KEY_TASK_ID
from langgraph.cache.memory import InMemoryCache
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.config import get_config
from langgraph.func import entrypoint, task
from langgraph.pregel import _executor
from langgraph.runtime import get_runtime
from langgraph.store.memory import InMemoryStore
from langgraph.types import CachePolicy, RetryPolicy

import graphs
import ordering
from bodies import Blocking, Body, Suspending, named, run_blocking
from errors import KINDS
from expressions import evaluate, text
from messages import as_value


class PromptCache(InMemoryCache):
    """A cache whose writes are over before the result is handed out."""

    async def aset(self, pairs: Any) -> None:
        self.set(pairs)


def _write_promptly() -> None:
    """LangGraph leaves writes to a thread: an equal call right behind hits or misses by chance."""
    submit = _executor.BackgroundExecutor.submit

    def prompt_submit(self, function, *args, **kwargs):
        owner = getattr(function, "__self__", None)
        if not isinstance(owner, PromptCache):
            return submit(self, function, *args, **kwargs)
        done = concurrent.futures.Future()
        done.set_result(function(*args))
        return done

    _executor.BackgroundExecutor.submit = prompt_submit


_write_promptly()


def main_of(case: dict) -> str:
    program = case["program"]
    names = [*program.get("entrypoints", {}), *program.get("graphs", {})]
    return case.get("main") or names[0]


class World:
    """The program of a case, and what outlives its operations."""

    def __init__(self, case: dict) -> None:
        self.is_async = bool(case.get("async"))
        self.counts: dict[str, int] = {}
        self.lock = threading.Lock()
        self.saver, self.store, self.cache = InMemorySaver(), InMemoryStore(), PromptCache()
        self.case, program = case, case["program"]
        tasks = program.get("tasks", {})
        self.tasks = {name: self.task(name, spec) for name, spec in tasks.items()}
        #: What can be run, by name; graphs are built where they are used first.
        self.graphs: dict[str, Any] = {}
        for name, spec in program.get("entrypoints", {}).items():
            self.graphs[name] = self.entrypoint(name, spec)

    def graph(self, name: str) -> Any:
        """An entrypoint or a graph."""
        if name not in self.graphs:
            spec = self.case["program"]["graphs"][name]
            keeps = {"checkpointer": self.keeps(name, spec), "store": self.store}
            made = graphs.compiled(self, name, spec, cache=self.cache, **keeps)
            self.graphs[name] = made
        return self.graphs[name]

    def keeps(self, name: str, spec: dict) -> Any:
        kinds = {"saver": self.saver, "inherit": None, "thread": True, "off": False}
        default = "saver" if name == main_of(self.case) else "inherit"
        return kinds[spec.get("checkpointer", default)]

    def count(self, name: str) -> None:
        with self.lock:
            self.counts[name] = self.counts.get(name, 0) + 1

    def task(self, name: str, spec: dict) -> Any:
        params = spec.get("params", [])

        def begin(*args: Any) -> Any:
            variables = self.begin(name)
            ordering.current.begin_task(get_config()[CONF][CONFIG_KEY_TASK_ID])
            variables.update(zip(params, args))
            return self.body(variables, spec)

        options = self.policies(spec, params)
        return task(name=name, **options)(self.function(name, begin))

    def entrypoint(self, name: str, spec: dict) -> Any:
        param = spec.get("param", "input")

        def begin(value: Any, previous: Any) -> Any:
            variables = self.begin(name)
            ordering.current.begin_entrypoint(get_config()[CONF][CONFIG_KEY_TASK_ID])
            variables.update({param: value, "previous": previous})
            return self.body(variables, spec)

        def blocking(input, *, previous=None):
            return run_blocking(begin(input, previous))

        async def suspending(input, *, previous=None):
            return await begin(input, previous)

        return entrypoint(
            checkpointer=self.keeps(name, spec),
            store=self.store,
            cache=self.cache if spec.get("use_cache", True) else None,
            **self.policies(spec, [param]),
        )(named(suspending if self.is_async else blocking, name))

    def function(self, name: str, begin: Any) -> Any:
        async def suspending(*args):
            return await begin(*args)

        def blocking(*args):
            return run_blocking(begin(*args))

        return named(suspending if self.is_async else blocking, name)

    def body(self, variables: dict[str, Any], spec: dict) -> Any:
        waits = Suspending() if self.is_async else Blocking()
        return Body(self, waits, variables).run(spec["body"])

    def begin(self, name: str) -> dict[str, Any]:
        """A body begins: gives the variables that every body has."""
        self.count(name)
        return self.surroundings()

    def surroundings(self) -> dict[str, Any]:
        runtime = get_runtime()
        # There is none in a path that is taken for an update.
        info = runtime and runtime.execution_info
        return {
            "context": runtime and runtime.context,
            "thread": get_config()[CONF].get("thread_id"),
            "attempt": info.node_attempt if info else 1,
        }

    def policies(self, spec: dict, params: list[str]) -> dict[str, Any]:
        options: dict[str, Any] = {}
        if (retry := spec.get("retry")) is not None:
            policies = [retry_policy(one) for one in (retry if isinstance(retry, list) else [retry])]
            options["retry_policy"] = policies
        if (cache := spec.get("cache")) is not None:
            options["cache_policy"] = self.cache_policy(cache, params)
        if "timeout_ms" in spec:
            options["timeout"] = spec["timeout_ms"] / 1000
        return options

    def cache_policy(self, spec: dict, params: list[str]) -> CachePolicy:
        options: dict[str, Any] = {}
        if spec.get("ttl_ms") is not None:
            options["ttl"] = spec["ttl_ms"] / 1000
        if "key" in spec:

            def key_of(*args: Any) -> str:
                variables = dict(zip(params, map(as_value, args)))
                return text(evaluate(spec["key"], variables, self.counts))

            options["key_func"] = key_of
        return CachePolicy(**options)


def retry_policy(spec: dict) -> RetryPolicy:
    options: dict[str, Any] = {"jitter": spec.get("jitter", False)}
    for key in ("max_attempts", "backoff_factor"):
        if key in spec:
            options[key] = spec[key]
    for key in ("initial_interval", "max_interval"):
        if f"{key}_ms" in spec:
            options[key] = spec[f"{key}_ms"] / 1000
    kinds = spec.get("retry_on", "default")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if "Exception" in kinds:
        options["retry_on"] = Exception
    elif kinds != ["default"]:
        exact = [KINDS[kind] for kind in kinds]
        options["retry_on"] = lambda error: type(error) in exact
    return RetryPolicy(**options)
