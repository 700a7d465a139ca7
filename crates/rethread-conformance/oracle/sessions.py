"""Sessions: does the operations of a case in order and notes what is observed."""

import asyncio
import time
from typing import Any

from langgraph.types import Command, StateUpdate

import ordering
import traces
from bodies import command, found_items
from errors import shown_error
from graphs import drawing
from messages import shown
from world import World, main_of

#: Bodies wait for each other: each needs a thread, and the default pool has too few.
THREADS = 64


class Session:
    def __init__(self, case: dict) -> None:
        self.case, self.world = case, World(case)
        #: The questions that were reported last, and all that ever were, by thread.
        self.last: dict[str, list[dict]] = {}
        self.seen: dict[str, list[dict]] = {}

    def run(self) -> dict:
        operations = [self.operation(op) for op in self.case["session"]]
        return {"dsl": 1, "name": self.case["name"], "ops": operations}

    def operation(self, op: dict) -> dict:
        before, began = dict(self.world.counts), time.monotonic()
        observed: dict[str, Any] = {"op": op["op"]}
        ordering.start()
        try:
            observed |= getattr(self, f"op_{op['op']}")(op)
        except Exception as error:
            observed["error"] = shown_error(error)
        if "between_ms" in op:
            least, most = op["between_ms"]
            observed["in_time"] = least <= (time.monotonic() - began) * 1000 <= most
        counts = self.world.counts
        grown = {name: counts[name] - before.get(name, 0) for name in sorted(counts)}
        if any(grown.values()):
            observed["counts"] = {name: by for name, by in grown.items() if by}
        if "loose" in op:
            observed["loose"] = op["loose"]
        return observed

    # --- what operations name ----------------------------------------------------------------

    def graph(self, op: dict) -> Any:
        return self.world.graph(op.get("entry") or main_of(self.case))

    def is_graph(self, op: dict) -> bool:
        name = op.get("entry") or main_of(self.case)
        return name in self.case["program"].get("graphs", {})

    def config(self, op: dict) -> dict:
        configurable = dict(op.get("configurable", {}))
        thread = op.get("thread", "1")
        if thread is not None:
            configurable["thread_id"] = thread
        if "at" in op:
            configurable |= self.checkpoint(op, op["at"])
        config: dict[str, Any] = {"max_concurrency": THREADS}
        if configurable:
            config["configurable"] = configurable
        if "metadata" in op:
            config["metadata"] = op["metadata"]
        if "recursion_limit" in op:
            config["recursion_limit"] = op["recursion_limit"]
        for name in op.get("in", []):
            pending = [task for task in self.graph(op).get_state(config).tasks if task.name == name]
            config["configurable"] = dict(pending[0].state["configurable"])
        return config

    def checkpoint(self, op: dict, at: Any) -> dict:
        if isinstance(at, str):
            return {"checkpoint_ns": "", "checkpoint_id": at}
        config = {"configurable": {"thread_id": op.get("thread", "1")}}
        return dict(list(self.graph(op).get_state_history(config))[at].config["configurable"])

    def input(self, op: dict) -> Any:
        if "input" in op:
            return op["input"]
        if "resume" in op:
            return Command(resume=op["resume"])
        if "command" in op:
            return command(op["command"])
        if "resume_map" in op:
            thread = op.get("thread", "1")
            answers = {self.question(thread, a["of"]): a["value"] for a in op["resume_map"]}
            return Command(resume=answers)
        return None

    def question(self, thread: str, of: Any) -> str:
        if isinstance(of, str):
            return of
        if isinstance(of, dict):
            return [one for one in self.seen[thread] if one["value"] == of["value"]][-1]["id"]
        return self.last[thread][of]["id"]

    def report(self, op: dict, questions: list[dict]) -> None:
        if questions:
            thread = op.get("thread", "1")
            self.last[thread] = questions
            self.seen.setdefault(thread, []).extend(questions)

    def options(self, op: dict) -> dict:
        known = ("context", "durability", "interrupt_before", "interrupt_after")
        return {key: op[key] for key in known if key in op}

    # --- operations --------------------------------------------------------------------------

    def op_invoke(self, op: dict) -> dict:
        graph, args = self.graph(op), (self.input(op), self.config(op))
        if self.world.is_async:
            result = asyncio.run(graph.ainvoke(*args, **self.options(op)))
        else:
            result = graph.invoke(*args, **self.options(op))
        if isinstance(result, dict) and "__interrupt__" in result:
            questions = traces.interrupts(result["__interrupt__"])
            self.report(op, questions)
            values = {key: value for key, value in result.items() if key != "__interrupt__"}
            row = {"result": shown(values)} if self.is_graph(op) else {}
            return {**row, "interrupts": questions}
        return {"result": shown(result)}

    def op_stream(self, op: dict) -> dict:
        graph, args = self.graph(op), (self.input(op), self.config(op))
        modes, subgraphs = op.get("modes", ["updates"]), op.get("subgraphs", False)
        options = {"stream_mode": modes, "subgraphs": True, **self.options(op)}
        options["subgraphs"] = subgraphs

        def convert(item: Any) -> dict:
            namespace, mode, data = item
            row = traces.event(mode, data)
            return {**row, "ns": list(namespace)} if subgraphs else row

        recorder = ordering.start_stream()
        recorder.convert = convert
        rows: list[dict] = []
        error = None
        token = ordering.STRAND.set(ordering.Strand())
        try:
            for chunk in graph.stream(*args, **options):
                rows.append(chunk[-1])
        except Exception as raised:
            error = shown_error(raised)
        finally:
            ordering.STRAND.reset(token)
            ordering._waiting.clear()
        self.report(op, asked(rows))
        observed = arranged(rows, recorder.direct()[: len(rows)])
        return observed if error is None else {**observed, "error": error}

    def op_state(self, op: dict) -> dict:
        options = {"subgraphs": True} if op.get("subgraphs") else {}
        state = self.graph(op).get_state(self.config(op), **options)
        self.report(op, traces.interrupts(state.interrupts))
        return {"state": traces.state(state)}

    def op_history(self, op: dict) -> dict:
        options = {key: op[key] for key in ("limit", "filter") if key in op}
        if "before" in op:
            options["before"] = {"configurable": self.checkpoint(op, op["before"])}
        states = self.graph(op).get_state_history(self.config(op), **options)
        return {"history": [traces.state(state) for state in states]}

    def op_update(self, op: dict) -> dict:
        graph, config = self.graph(op), self.config(op)
        if "steps" in op:
            steps = [[StateUpdate(one["values"], one.get("as")) for one in step] for step in op["steps"]]
            made = graph.bulk_update_state(config, steps)
        else:
            options = {"as_node": op["as"]} if "as" in op else {}
            made = graph.update_state(config, op["values"], **options)
        return {"checkpoint": traces.checkpoint_id(made)}

    def op_compile(self, op: dict) -> dict:
        self.graph(op)
        return {}

    def op_draw(self, op: dict) -> dict:
        graph = self.graph(op).get_graph(xray=op.get("xray", False))
        is_text = op.get("form") == "mermaid"
        return {"result": graph.draw_mermaid() if is_text else drawing(graph)}

    def op_delete_thread(self, op: dict) -> dict:
        self.world.saver.delete_thread(op.get("thread", "1"))
        return {}

    def op_clear_cache(self, op: dict) -> dict:
        if "task" in op:
            self.world.tasks[op["task"]].clear_cache(self.world.cache)
        elif "entry" in op:
            self.graph(op).clear_cache()
        else:
            self.world.cache.clear()
        return {}

    def op_call_task(self, op: dict) -> dict:
        return {"result": shown(self.world.tasks[op["task"]](*op.get("args", [])))}

    def op_store(self, op: dict) -> dict:
        store = self.world.store
        if "put" in op:
            namespace, key, value = op["put"]
            store.put(tuple(namespace), key, value)
            return {}
        if "get" in op:
            namespace, key = op["get"]
            item = store.get(tuple(namespace), key)
            return {"result": None if item is None else item.value}
        return {"result": found_items(store, op["search"], op.get("filter"))}

    def op_wait(self, op: dict) -> dict:
        time.sleep(op["ms"] / 1000)
        return {}


def asked(rows: list[dict]) -> list[dict]:
    """The questions that the root run reports, each once."""
    found: list[dict] = []
    for row in rows:
        if row["mode"] in ("updates", "values") and not row.get("ns"):
            found += [one for one in row.get("interrupts", []) if one not in found]
    return found


def arranged(rows: list[dict], before: list[list[int]]) -> dict:
    """The events, with what precedes each unless they are all in one line."""
    if all(known == ([place - 1] if place else []) for place, known in enumerate(before)):
        return {"order": "total", "events": rows}
    events = [{**row, "after": known} for row, known in zip(rows, before)]
    return {"order": "partial", "events": events}
