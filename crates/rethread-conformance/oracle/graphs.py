"""Builds the graphs of a case with LangGraph's StateGraph."""

import operator
from typing import Annotated, Any

from langgraph.channels import EphemeralValue, UntrackedValue
from langgraph.channels import named_barrier_value as joins
from langgraph.errors import NodeError
from langgraph.graph import StateGraph
from langgraph.graph.message import add_messages
from langgraph.managed import IsLastStep, RemainingSteps
from langgraph.types import Send
from typing_extensions import TypedDict

from bodies import destinations, named, run_blocking
from errors import shown_error
from expressions import evaluate, text
from messages import as_value


class InvalidGraph(Exception):
    """A graph that LangGraph refuses to build."""


class InvalidDestination(ValueError):
    """A result that the map of a path does not have; in LangGraph a bare KeyError."""


def _snapshots_of_joins() -> None:
    """G01: what a join has seen is saved after the next step may have changed it."""
    plain_join, late_join = joins.NamedBarrierValue, joins.NamedBarrierValueAfterFinish
    plain_join.checkpoint = lambda join: set(join.seen)
    late_join.checkpoint = lambda join: (set(join.seen), join.finished)


_snapshots_of_joins()

REDUCERS: dict[str, Any] = {
    "last": Any,
    "append": Annotated[list, operator.add],
    "add": Annotated[int, operator.add],
    "merge": Annotated[dict, operator.or_],
    "messages": Annotated[list, add_messages],
    "ephemeral": Annotated[Any, EphemeralValue(Any)],
    "untracked": Annotated[Any, UntrackedValue(Any)],
    "remaining_steps": RemainingSteps,
    "is_last_step": IsLastStep,
}


def _field(spec: Any, counts: dict[str, int]) -> Any:
    if isinstance(spec, str):
        return REDUCERS[spec]

    def reduce(old: Any, new: Any) -> Any:
        return evaluate(spec["reduce"], {"old": as_value(old), "new": as_value(new)}, counts)

    return Annotated[type(spec["init"]) if "init" in spec else Any, reduce]


def compiled(world: Any, name: str, spec: dict, **keeps: Any) -> Any:
    """A graph that runs.

    Raises InvalidGraph.
    """
    try:
        return _Builder(world, name, spec).build().compile(
            interrupt_before=spec.get("interrupt_before"),
            interrupt_after=spec.get("interrupt_after"),
            name=name,
            **keeps,
        )
    except ValueError as error:
        raise InvalidGraph(str(error)) from error


class _Builder:
    def __init__(self, world: Any, name: str, spec: dict) -> None:
        self.world, self.name, self.spec = world, name, spec
        self.fields = {key: _field(kind, world.counts) for key, kind in spec["state"].items()}

    def schema(self, label: str, keys: Any) -> Any:
        return TypedDict(f"{self.name}_{label}", {key: self.fields[key] for key in keys})

    def build(self) -> Any:
        spec, private = self.spec, self.spec.get("private", [])
        schemas = {
            f"{side}_schema": self.schema(side, spec[side])
            for side in ("input", "output")
            if side in spec
        }
        public = [key for key in self.fields if key not in private]
        graph = StateGraph(self.schema("state", public), **schemas)
        for node, node_spec in spec["nodes"].items():
            self.add_node(graph, node, node_spec)
        for source, target in spec.get("edges", []):
            graph.add_edge(source, target)
        for number, branch in enumerate(spec.get("branches", [])):
            path = self.path(branch.get("name", f"branch{number}"), branch)
            graph.add_conditional_edges(branch["from"], path, branch.get("map"))
        return graph

    def add_node(self, graph: Any, node: str, spec: dict) -> None:
        options = self.world.policies(spec, ["state"])
        if "input" in spec:
            options["input_schema"] = self.schema(f"input of {node}", spec["input"])
        if "ends" in spec:
            options["destinations"] = tuple(spec["ends"])
        counter = f"{self.name}.{node}"
        if "on_error" in spec:
            options["error_handler"] = self.handler(f"{counter}.on_error", spec["on_error"])
        if "graph" in spec:
            action = self.world.graph(spec["graph"])
        else:

            def begin(state: Any) -> Any:
                variables = self.world.begin(counter)
                return self.world.body({**variables, "state": as_value(state)}, spec)

            action = self.world.function(counter, begin)
        graph.add_node(node, action, defer=spec.get("defer", False), **options)

    def handler(self, counter: str, block: list[dict]) -> Any:
        def begin(state: Any, error: NodeError) -> Any:
            variables = self.world.begin(counter)
            failed = {"node": error.node, "error": shown_error(error.error)}
            failed["state"] = as_value(state)
            return self.world.body({**variables, **failed}, {"body": block})

        # LangGraph looks at the names and types of the parameters.
        def blocking(state, error: NodeError):
            return run_blocking(begin(state, error))

        return named(blocking, counter)

    def path(self, name: str, branch: dict) -> Any:
        body = {"body": branch.get("body") or [{"return": branch["path"]}]}
        known = branch.get("map")

        async def choose(state: Any) -> Any:
            variables = {**self.world.surroundings(), "state": as_value(state)}
            chosen = destinations(await self.world.body(variables, body))
            return chosen if known is None else looked_up(chosen, known)

        return self.world.function(name, choose)


def looked_up(chosen: Any, known: Any) -> list:
    """The keys of a map that are meant; sends are not looked up."""
    several = chosen if isinstance(chosen, list) else [chosen]
    keys = [one if isinstance(one, Send) else text(one) for one in several]
    for key in keys:
        if not isinstance(key, Send) and key not in known:
            raise InvalidDestination(key)
    return keys


def drawing(graph: Any) -> dict:
    """Nodes and edges, sorted."""
    edges = []
    for edge in graph.edges:
        row = {"from": edge.source, "to": edge.target}
        if edge.data is not None:
            row["label"] = str(edge.data)
        if edge.conditional:
            row["conditional"] = True
        edges.append(row)
    return {"nodes": sorted(graph.nodes), "edges": sorted(edges, key=text)}
