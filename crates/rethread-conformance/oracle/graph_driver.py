"""Random sessions on programs of the Graph API.

Sessions leave out what LangGraph leaves to chance, and its defects that Rethread does not share;
the README of the conformance crate lists those. A method whose name begins with `has_` or `is_`
and whose comment names a defect is one of these places.
"""

import random
from typing import Any

from langgraph._internal._constants import NULL_TASK_ID
from langgraph.pregel._checkpoint import versions_seen_without_bumps
from langgraph.pregel._task_status import CONTROL_WRITES

from driver import MODES, STEPS_MAX, Driver
from graph_programs import END, START, GraphProgram


class GraphDriver(Driver):
    LABEL = "random-graph"
    ERRORS = {"ValueError", "InvalidUpdate", "RecursionLimit", "AmbiguousResume"}

    def __init__(self, name: str, rng: random.Random) -> None:
        super().__init__(name, rng, GraphProgram(rng))
        self.is_graph = self.program.main == "g"
        #: Nodes of the main graph that something has updated for.
        self.nodes = list(self.program.graphs["g"]["nodes"])
        #: An answer without id is left behind in a run that is given up (D01, D02).
        self.answers_plainly = self.program.asks_once and not self.calls_graphs()
        #: D09: a graph with a history of its own gives its last result in a run that goes on.
        self.goes_on_anywhere = not self.program.keeps_histories
        #: G02: after updates that cannot be merged the thread cannot be looked at.
        self.is_stuck = False

    def calls_graphs(self) -> bool:
        return len(self.program.graphs) > 1

    # --- runs ----------------------------------------------------------------------------------

    def begin(self, **how) -> dict:
        # What else a failing step shows is left to chance.
        may_fail = self.program.fails or self.program.conflicts
        if may_fail or self.chance(0.45):
            observed = self.do(op="invoke", **how)
        else:
            if self.chance(0.35):
                how["subgraphs"] = True
            # LangGraph tells of a failure that was handled when the handler has ended.
            silent = {"tasks", "debug"} if self.program.handles else set()
            modes = [mode for mode in MODES if mode not in silent]
            modes = self.rng.sample(modes, self.rng.randint(1, 4))
            observed = self.do(op="stream", modes=modes, **how)
        kind = observed.get("error", {}).get("kind")
        self.is_stuck = kind == "InvalidUpdate"
        if kind == "RecursionLimit":
            # G18: what a graph with a history of its own did in a run that is given up.
            self.is_stuck |= self.program.keeps_histories or not self.is_graph
            # G16: a failure stays shown beside what is asked after it.
            self.is_stuck |= self.program.asks and self.calls_graphs()
            # G04: a graph fails beside what was handled.
            self.is_stuck |= self.program.handles and self.calls_graphs()
            if self.program.asks and self.asked(how["thread"]):
                # It is chance which questions are told of beside a failure.
                self.take_back()
                self.is_stuck = True
        self.has_failed |= kind == "ValueError"
        return observed

    def input(self) -> Any:
        if not self.is_graph:
            return {"n": self.rng.randint(0, 9)}
        some = {"n": self.rng.randint(0, 9), "log": ["in"], "ticks": -self.rng.randint(0, 2)}
        if self.chance(0.15):
            del some[self.rng.choice(list(some))]
        if self.chance(0.05):
            some["unknown"] = 1
        return some

    def options(self, is_exact: bool) -> dict:
        # Of an entrypoint it limits how deep calls are nested.
        limits = [3, 8, 25, 25, 25] if self.is_graph else [25]
        options: dict[str, Any] = {"recursion_limit": self.rng.choice(limits)}
        if self.chance(0.15):
            options["metadata"] = {"lap": self.rng.randint(1, 3)}
        if self.chance(0.1):
            options["configurable"] = {"user": self.rng.choice(["ada", 7, True])}
        if self.is_graph and self.chance(0.2):
            kinds = ["async"]
            # G06
            if not self.program.keeps_nothing:
                kinds.append("sync")
            # G15, G17; a fork names its tasks in another order then.
            if not (self.program.has_untracked or is_exact):
                kinds.append("exit")
            options["durability"] = self.rng.choice(kinds)
        if self.is_graph and self.goes_on_anywhere and self.chance(0.12):
            names = self.rng.sample(self.nodes, self.rng.randint(1, 2))
            side = self.rng.choice(["interrupt_before", "interrupt_after"])
            options[side] = "*" if self.chance(0.2) else names
            if side == "interrupt_before":
                # G19: a limit that is reached in front of it.
                options["recursion_limit"] = 25
        return options

    def run(self, thread: str, **how) -> None:
        """A run with all that belongs to it."""
        self.session.last.pop(thread, None)
        options = self.options("command" in how or "at" in how)
        observed = self.begin(thread=thread, **how, **options)
        again, exceeded = {"continue": True}, 0
        for _ in range(STEPS_MAX):
            if self.is_stuck:
                return
            if "error" in observed:
                if self.chance(0.5) and not self.is_commanded(thread):
                    self.look(thread)
                exceeded += observed["error"]["kind"] == "RecursionLimit"
                if exceeded > 2:
                    return
                observed = self.begin(thread=thread, **again, **options)
                continue
            state = self.state(thread)
            if not state.next:
                return
            if self.chance(0.3):
                self.look(thread)
            if not state.interrupts:
                # A breakpoint.
                if self.chance(0.1):
                    return self.update(thread)
                observed = self.begin(thread=thread, **again, **options)
                continue
            if not self.answers_plainly:
                if self.chance(0.06):
                    observed = self.begin(thread=thread, **again, **options)
                    continue
                if self.chance(0.06):
                    return
                if self.is_graph and self.chance(0.06):
                    return self.update(thread)
            observed = self.answer(thread, options)

    def answer(self, thread: str, options: dict) -> dict:
        open_ids = set(self.asked(thread))
        known = self.session.last.get(thread, [])
        if {one["id"] for one in known} != open_ids:
            self.do(op="state", thread=thread)
            known = self.session.last[thread]
        if len(known) == 1 and self.answers_plainly:
            return self.begin(thread=thread, resume=self.rng.randint(0, 9), **options)
        some = self.rng.sample(known, self.rng.randint(1, len(known)))
        # In an order that is not left to chance.
        values = sorted((one["value"] for one in some), key=str)
        answers = [{"of": {"value": one}, "value": self.rng.randint(0, 9)} for one in values]
        return self.begin(thread=thread, resume_map=answers, **options)

    def take_back(self) -> None:
        """Leaves the last operation out of the session, which ends before it."""
        self.case["session"].pop()
        self.trace.pop()

    # --- what LangGraph knows of a thread --------------------------------------------------------

    def saved(self, thread: str, at: int | None = None) -> Any:
        """A checkpoint with the writes that wait in it."""
        op = {"thread": thread} if at is None else {"thread": thread, "at": at}
        return self.session.world.saver.get_tuple(self.session.config(op))

    def is_commanded(self, thread: str, at: int | None = None) -> bool:
        """Whether a command has changed a checkpoint in place (G07, G11)."""
        saved = self.saved(thread, at)
        return any(task == NULL_TASK_ID for task, _, _ in saved.pending_writes)

    def finished(self, thread: str, at: int | None = None) -> set[str]:
        """The nodes that have a result in the step that starts at a checkpoint (G12)."""
        op = {"thread": thread} if at is None else {"thread": thread, "at": at}
        saved, graph = self.saved(thread, at), self.session.graph({})
        wrote = {task for task, channel, _ in saved.pending_writes if channel not in CONTROL_WRITES}
        tasks = graph.get_state(self.session.config(op)).tasks
        return {task.name for task in tasks if task.id in wrote}

    def unfinished(self, thread: str, at: int | None = None) -> list[str]:
        """The nodes in whose name an update is made."""
        finished = self.finished(thread, at)
        return [node for node in self.nodes if node not in finished]

    def has_twofold_last(self, thread: str, at: int | None = None) -> bool:
        """Whether the last node was reached in two ways at once (G13)."""
        nodes = self.session.graph({}).nodes
        seen = versions_seen_without_bumps(self.saved(thread, at).checkpoint["versions_seen"])
        last = sorted((v, name) for name, s in seen.items() if name in nodes for v in s.values())
        return len(last) > 1 and last[-1] == last[-2]

    def look(self, thread: str) -> None:
        subgraphs = {"subgraphs": True} if self.chance(0.4) else {}
        self.do(op="state", thread=thread, **subgraphs)

    # --- the session ---------------------------------------------------------------------------

    def grow(self) -> None:
        for _ in range(self.rng.randint(1, 3)):
            self.run("1", input=self.input())
            if self.is_graph and not self.is_stuck and self.chance(0.25):
                self.command("1")
            if self.is_stuck:
                return
        if self.chance(0.25):
            self.run("2", input=self.input())
        # D15: a failure of an entrypoint stays in its record.
        if self.is_stuck or (self.program.fails and not self.is_graph):
            return
        self.do(op="history", thread="1", **self.arguments())
        if self.program.fails:
            return
        if self.chance(0.5):
            self.travel()
        if self.is_graph and not self.is_stuck and self.chance(0.5):
            self.update("1")
        if not self.is_stuck:
            self.look("1")

    def arguments(self) -> dict:
        if self.chance(0.8) or self.length() < 2:
            return {}
        return self.rng.choice(
            [{"limit": 2}, {"filter": {"source": "input"}}, {"before": 1}, {"filter": {"lap": 2}}]
        )

    def command(self, thread: str) -> None:
        # G07: beside a paused step.
        if not self.goes_on_anywhere or self.state(thread).next or self.is_commanded(thread):
            return
        command: dict[str, Any] = {"update": {"log": ["commanded"]}}
        if self.chance(0.7):
            command["goto"] = self.rng.choice(self.nodes)
        head = self.saved(thread).checkpoint["id"]
        self.run(thread, command=command)
        # G07: what a command has started is not seen until its step is over.
        while self.is_commanded(thread) and "goto" in command:
            if self.is_stuck or self.saved(thread).checkpoint["id"] != head:
                return
            known = self.session.last.get(thread)
            if not known:
                return self.run(thread, input=self.input())
            values = sorted((one["value"] for one in known), key=str)
            self.session.last.pop(thread)
            answers = [{"of": {"value": one}, "value": 1} for one in values]
            self.begin(thread=thread, resume_map=answers, recursion_limit=25)

    def update(self, thread: str) -> None:
        if not self.goes_on_anywhere or self.is_commanded(thread):
            return
        values = {"log": ["updated"], "n": self.rng.randint(0, 9)}
        kinds: list[Any] = [*self.unfinished(thread), START, END, "__copy__"]
        if not (self.finished(thread) or self.has_twofold_last(thread)):
            kinds += [None, None]
        # G14: beside a step that is left to do.
        if not self.state(thread).next:
            kinds.append("__input__")
        kind = self.rng.choice(kinds)
        if kind in (END, "__copy__"):
            self.do(op="update", thread=thread, values=None, **{"as": kind})
        else:
            name = {} if kind is None else {"as": kind}
            self.do(op="update", thread=thread, values=values, **name)
        if self.chance(0.5):
            self.look(thread)
        self.run(thread, **({"continue": True} if self.chance(0.7) else {"input": self.input()}))

    def travel(self) -> None:
        # A graph with a history of its own: its past is a matter of its caller's checkpoints.
        if not self.goes_on_anywhere:
            return
        at = self.rng.randrange(self.length())
        way = self.rng.choice(["continue", "continue", "input", "update"])
        if way == "update" and self.is_graph:
            nodes = self.unfinished("1", at)
            if self.is_commanded("1", at) or not nodes:
                return
            is_clear = len(nodes) == len(self.nodes) and not self.has_twofold_last("1", at)
            name = {} if is_clear and self.chance(0.5) else {"as": self.rng.choice(nodes)}
            self.do(op="update", thread="1", at=at, values={"log": ["forked"]}, **name)
            self.run("1", **{"continue": True})
        elif way == "continue":
            self.run("1", at=at, **{"continue": True})
        else:
            self.run("1", at=at, input=self.input())
        if not self.is_stuck:
            self.do(op="history", thread="1")
