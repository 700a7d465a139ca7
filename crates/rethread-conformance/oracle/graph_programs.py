"""Random graphs of the conformance language.

Left out, as in `programs.py`, is what LangGraph leaves to chance, and its defects that Rethread
does not share. Fields that take one write per step have one node that writes them; a node that is
sent writes none. Every loop counts its rounds in `ticks`.
"""

import random
from typing import Any

from tasks import PARALLEL, Block, Tasks, var

END, START = "__end__", "__start__"
#: Nodes are ordered by their names in some places, by their declaration in others.
NAMES = ["a", "B", "c", "Z", "do it", "é", "m1", "m10", "m2", "x-y"]


def given(path: str) -> dict:
    """A number of the state, 0 where there is none."""
    return {"$else": [var(f"state.{path}"), 0]}


class GraphProgram(Tasks):
    """A program whose main part is a graph, or an entrypoint that calls one."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        kind = rng.choices(["plain", "asks", "fails"], [5, 4, 2])[0]
        #: Runs may be interrupted; a failure beside a question ends a step by chance.
        self.asks = kind == "asks"
        #: Runs may fail, one node at a time, and are continued then.
        self.fails = kind == "fails"
        self.may_fail = self.fails
        #: Two nodes may write one plain field in the same step.
        self.conflicts = kind == "plain" and rng.random() < 0.06
        #: Whether an answer without id meets one question only (D01).
        self.asks_once = self.asks and rng.random() < 0.4
        self.keeps_histories = self.keeps_nothing = False
        #: A graph has fields that live for a run.
        self.has_untracked = False
        #: A node has a handler of errors.
        self.handles = False
        self.entrypoints: dict[str, dict] = {}
        self.graphs: dict[str, dict] = {}
        #: Graphs that nothing uses so far. One place uses each: two would share counters.
        self.unused: list[str] = []
        for depth in range(rng.choice([0, 0, 0, 1, 1, 2])):
            self.add(f"inner{depth}", is_main=False)
        self.add("g", is_main=True)
        self.main = "g"
        if not self.asks_once and rng.random() < 0.12:
            self.main = "main"
            # D20: at a breakpoint it gives what it gave before.
            self.graphs["g"].pop("interrupt_after", None)
            got = {"sub": "g", "input": {"n": var("input.n"), "log": ["from main"]}, "to": "got"}
            call = {"do": self.task("plain"), "args": [{"$len": var("got.log")}], "to": "x"}
            # D20: an object would be mixed into what later pauses show.
            result = {"return": [var("x"), var("got")]}
            self.entrypoints["main"] = {"body": [got, call, result]}

    def add(self, name: str, is_main: bool) -> None:
        made = Graph(self, name, is_main)
        self.graphs[name] = made.spec
        if not is_main:
            self.unused.append(name)

    def case(self, name: str) -> dict:
        program = {"tasks": self.tasks, "entrypoints": self.entrypoints, "graphs": self.graphs}
        case = {"dsl": 1, "name": name, "tags": ["generated", "graph"], "program": program}
        return {**case, "main": self.main, "session": []}


class Graph:
    """Makes one graph."""

    def __init__(self, program: GraphProgram, name: str, is_main: bool) -> None:
        self.program, self.rng = program, program.rng
        self.name, self.is_main = name, is_main
        self.fields: dict[str, Any] = {"n": "last", "log": "append", "ticks": "add"}
        self.names = self.rng.sample(NAMES, self.rng.randint(2, 6))
        self.nodes: dict[str, dict] = {}
        self.edges: list[list] = []
        self.branches: list[dict] = []
        #: Nodes that some way leads to by a send.
        self.sent: set[str] = set()
        #: Where the commands of a node lead.
        self.gotos: dict[str, list] = {}
        #: The field with one write per step that a node writes.
        self.owned: dict[str, str] = {}
        self.loops: set[str] = set()
        self.deferred: set[str] = set()
        if not is_main and self.chance(0.5):
            self.fields["found"] = "append"
        self.connect()
        self.own()
        for node in self.rng.sample(self.names, len(self.names)):
            self.nodes[node] = self.node(node)
        self.spec: dict[str, Any] = {
            "state": self.fields,
            "nodes": self.nodes,
            "edges": self.edges,
            "branches": self.branches,
        }
        self.schemas()

    def chance(self, of: float) -> bool:
        return self.rng.random() < of

    def schemas(self) -> None:
        spec, program = self.spec, self.program
        if self.is_main:
            if self.chance(0.12):
                spec["output"] = ["log", "ticks"]
            if self.chance(0.1):
                spec["input"] = ["n", "log", "ticks"]
            if self.chance(0.08) and not program.keeps_histories:
                spec["interrupt_after"] = [self.rng.choice(self.names)]
            return
        # Nothing of what went in comes out: loops of the caller count on that.
        spec |= {"input": ["n", "log"], "output": ["log"]}
        if "found" in self.fields:
            spec |= {"input": ["n"], "output": ["found"]}
        if program.asks or program.fails:
            return
        keeps = self.rng.choices(["inherit", "thread", "off"], [6, 2, 1])[0]
        if keeps != "inherit":
            spec["checkpointer"] = keeps
            program.keeps_histories |= keeps == "thread"
            program.keeps_nothing |= keeps == "off"

    # --- ways ----------------------------------------------------------------------------------

    def connect(self) -> None:
        first, *rest = self.names
        self.edges.append([START, first])
        for place, node in enumerate(rest, 1):
            for _ in range(1 if self.chance(0.7) else 2):
                self.lead(self.names[:place], node)
        if self.chance(0.4):
            self.loop()
        for node in self.names:
            if self.chance(0.3):
                self.edges.append([node, END])

    def lead(self, before: list[str], node: str) -> None:
        ways = {"edge": 4, "join": 2, "branch": 3, "goto": 2, "send": 2, "start": 1}
        way = self.rng.choices(list(ways), list(ways.values()))[0]
        source = self.rng.choice(before)
        if way == "join" and len(before) > 1:
            sources = self.rng.sample(before, self.rng.randint(2, min(3, len(before))))
            self.edges.append([sources, node])
        elif way == "branch":
            self.branch(source, node, before)
        elif way == "goto":
            self.gotos.setdefault(source, []).append(node)
        elif way == "send" and source not in self.sent:
            self.sends(self.rng.choice([source, source, START]), node)
        elif way == "start":
            self.edges.append([START, node])
        else:
            self.edges.append([source, node])
        if self.chance(0.12):
            self.deferred.add(node)

    def branch(self, source: str, node: str, before: list[str]) -> None:
        """A conditional edge, with a map or without one."""
        later = [one for one in self.names if one not in before]
        other = self.rng.choice([END, *later])
        test = self.condition()
        branch: dict[str, Any] = {"from": source}
        form = self.rng.choice(["names", "list", "truth", "texts", "map"])
        if form == "names":
            branch["path"] = {"$if": [test, node, other]}
        elif form == "list":
            both = [node, other] if self.chance(0.5) else [node, node]
            branch["path"] = {"$if": [test, both, self.rng.choice([[], [node]])]}
        elif form == "truth":
            branch |= {"path": {"$not": test}, "map": {"true": node, "false": other}}
        elif form == "texts":
            branch["path"] = {"$mod": [given("n"), 2]}
            branch["map"] = {"0": node, "1": other}
        else:
            branch |= {"path": {"$if": [test, node, other]}, "map": sorted({node, other})}
        if self.chance(0.3):
            branch["name"] = f"way {len(self.branches)} to {node}"
        self.branches.append(branch)

    def condition(self) -> dict:
        return self.rng.choice(
            [
                {"$lt": [given("n"), self.rng.randint(1, 9)]},
                {"$eq": [{"$mod": [given("n"), 2]}, 0]},
                {"$lt": [{"$len": {"$else": [var("state.log"), []]}}, self.rng.randint(1, 6)]},
            ]
        )

    def sends(self, source: str, node: str) -> None:
        self.sent.add(node)
        times = {"$range": {"$mod": [{"$add": [given("n"), self.rng.randint(0, 3)]}, 4]}}
        # What two nodes send to a third asks different questions there.
        first = 1 + 10 * len(self.branches)
        state = {"i": {"$add": [var("i"), first]}, "n": given("n"), "log": ["sent"]}
        send = {"send": node, "input": state if self.chance(0.7) else {"i": state["i"]}}
        each = [{"let": "out", "be": {"$push": [var("out"), send]}}]
        body: Block = [{"let": "out", "be": []}, {"for": "i", "in": times, "body": each}]
        self.branches.append({"from": source, "body": [*body, {"return": var("out")}]})

    def loop(self) -> None:
        end = self.rng.randrange(len(self.names))
        back = self.names[self.rng.randint(0, end)]
        source = self.names[end]
        if source in self.sent or back in self.sent:
            return
        self.loops.add(source)
        again = {"$lt": [given("ticks"), self.rng.randint(1, 3)]}
        self.branches.append({"from": source, "path": {"$if": [again, back, END]}, "name": "again"})

    # --- what nodes do -------------------------------------------------------------------------

    def own(self) -> None:
        once = {"n": "last", "m": "last", "once": "ephemeral", "temp": "untracked"}
        owners = [node for node in self.names if node not in self.sent]
        for field in self.rng.sample(list(once), self.rng.randint(1, 3)):
            self.fields[field] = once[field]
            self.program.has_untracked |= once[field] == "untracked"
            self.owned[self.rng.choice(owners)] = field
        if self.is_main and self.program.conflicts:
            self.owned = {node: "n" for node in owners}
        more = {
            "best": {"reduce": {"$if": [{"$lt": [var("old"), var("new")]}, var("new"), var("old")]}},
            "text": {"reduce": {"$cat": [var("old"), "-", var("new")]}, "init": ""},
            "info": "merge",
            "msgs": "messages",
            "left": "remaining_steps",
        }
        for field in self.rng.sample(list(more), self.rng.randint(0, 3)):
            self.fields[field] = more[field]

    def node(self, node: str) -> dict:
        program = self.program
        alone = node not in self.sent
        plain = node not in self.gotos and node not in self.loops and node not in self.owned
        if program.unused and alone and plain and self.chance(0.6):
            spec: dict[str, Any] = {"graph": program.unused.pop()}
        else:
            spec = self.body(node, alone)
        if node in self.deferred:
            spec["defer"] = True
        return spec

    def body(self, node: str, alone: bool) -> dict:
        program = self.program
        spec: dict[str, Any] = {}
        known = ["n", "i"]
        block: Block = [{"let": "n", "be": given("n")}, {"let": "i", "be": given("i")}]
        kinds = {"plain": 8.0, "calls": 3.0, "writes": 2.0, "retried": 1.0}
        kinds["asks"] = 6.0 if program.asks else 0
        kinds["fails"] = 8.0 if program.may_fail and alone else 0
        kinds["handled"] = 1.0 if alone and not (program.asks or program.fails) else 0
        kinds["cached"] = 1.0 if alone and not program.fails else 0
        kinds["calls_graph"] = 4.0 if program.unused and alone else 0
        kind = self.rng.choices(list(kinds), list(kinds.values()))[0]
        if kind == "calls":
            block += self.calls(known)
        elif kind == "writes":
            block += [{"write": program.value(known)}]
        elif kind == "retried":
            fail = {"raise": self.rng.choice(["ConnectionError", "CustomError"])}
            block += [{"if": {"$lt": [var("attempt"), 2]}, "then": [fail]}]
            spec["retry"] = {"initial_interval_ms": 1, "max_attempts": self.rng.randint(2, 3)}
        elif kind == "asks":
            block += self.questions(node, known)
        elif kind == "fails":
            program.may_fail = False
            block += self.failing(node)
        elif kind == "handled":
            program.handles = True
            block += [{"raise": "ValueError", "message": {"$cat": ["no ", var("n")]}}]
            spec["on_error"] = self.handler(node)
        elif kind == "cached":
            spec["cache"] = {"key": [node, {"$mod": [given("n"), 3]}]}
        elif kind == "calls_graph":
            sub = {"sub": program.unused.pop(), "input": {"n": program.number(known)}, "to": "got"}
            # LangGraph gives null for a graph that writes nothing of its output.
            found = {"$else": [var("got.found"), {"$else": [var("got.log"), []]}]}
            block += [sub, {"let": "got", "be": {"$len": found}}]
            known.append("got")
        # The paths of a node see no more than the node.
        if self.chance(0.1) and not program.asks and node not in self.loops:
            spec["input"] = self.rng.choice([["n"], ["log", "n"], ["ticks", "log"]])
        spec["body"] = [*block, *self.ending(node, known)]
        return spec

    def calls(self, known: list[str]) -> Block:
        program, name = self.program, self.program.name("x")
        if self.chance(0.6):
            call = {"do": program.task(self.rng.choice(PARALLEL)), "args": [program.number(known)]}
            known.append(name)
            return [{**call, "to": name}]
        spawn = {"spawn": program.task(self.rng.choice(PARALLEL)), "push": f"{name}s"}
        made: Block = [{**spawn, "args": [program.number(known)]} for _ in range(2)]
        known.append(name)
        first = {"let": name, "be": var(f"{name}s_all.0")}
        return [*made, {"await": f"{name}s", "to": f"{name}s_all"}, first]

    def questions(self, node: str, known: list[str]) -> Block:
        program, block = self.program, []
        # Tasks of one step are told apart by what they ask.
        about = [" of ", f"{self.name}.{node}", " ", var("i")]
        for _ in range(1 if program.asks_once else self.rng.choice([1, 1, 2])):
            if self.chance(0.3):
                # Equal calls beside each other could not be told apart when they run again.
                place = {"$add": [{"$mul": [var("i"), 100]}, program.questions]}
                args = [{"$add": [var("n"), place]}]
                block.append({"do": program.task("plain"), "args": args, "to": "n"})
            program.questions += 1
            question = {"$cat": [f"question {program.questions}", *about]}
            name = program.name("answer")
            block.append({"interrupt": question, "to": name})
            known.append(name)
        return block

    def failing(self, node: str) -> Block:
        fail = {"raise": "ValueError", "message": f"{node} fails"}
        counter = {"$count": f"{self.name}.{node}"}
        # What runs beside it ends before it fails: else it is chance what is kept.
        return [{"if": {"$lt": [counter, 2]}, "then": [{"sleep_ms": 250}, fail]}]

    def handler(self, node: str) -> Block:
        update = {"log": [["handled", var("node"), var("error.message")]]}
        if self.chance(0.4):
            return [{"return": update}]
        place = self.names.index(node)
        goto = self.rng.choice([END, *self.names[place + 1 :]])
        return [{"command": {"update": update, "goto": goto}}]

    def update(self, node: str, known: list[str]) -> dict:
        program = self.program
        number = {"$mod": [program.number(known), 991]}
        update: dict[str, Any] = {"log": [[node, number]]}
        if "found" in self.fields:
            update["found"] = [number]
        if node in self.loops or self.chance(0.2):
            update["ticks"] = 1
        if node in self.owned:
            update[self.owned[node]] = {"$mod": [program.number(known), 10]}
        values = {
            "best": number,
            "text": node,
            "info": {self.rng.choice(["k", node]): number},
            "msgs": self.messages(node, number),
            "unknown": 1,
        }
        for field, value in values.items():
            if field in self.fields and self.chance(0.5) or field == "unknown" and self.chance(0.05):
                update[field] = value
        if "left" in self.fields and self.chance(0.5):
            update["log"].append(var("state.left"))
        if "info" in self.fields and node not in self.sent and self.chance(0.1):
            update["info"] = {"__overwrite__": {"new": number}}
        return update

    def messages(self, node: str, number: Any) -> Any:
        said = {"$cat": [node, " says ", number]}
        some = [
            said,
            ["human", said],
            {"role": "assistant", "content": said},
            {"type": "human", "content": said, "id": self.rng.choice(["m1", "m2"])},
            {"type": "ai", "content": said, "id": node, "name": "it"},
        ]
        if self.chance(0.1):
            return [{"type": "remove", "content": "", "id": "__remove_all__"}, some[0]]
        found = self.rng.sample(some, self.rng.randint(1, 2))
        return found if self.chance(0.7) else found[0]

    def ending(self, node: str, known: list[str]) -> Block:
        update = self.update(node, known)
        if node in self.gotos:
            return [{"command": self.command(node, update)}]
        # LangGraph gives null for a graph that writes nothing of its output.
        must = node in self.loops or node == self.names[0]
        if not must and self.chance(0.08):
            return self.rng.choice([[], [{"return": None}], [{"return": {}}]])
        return [{"return": update}]

    def command(self, node: str, update: dict) -> Any:
        ways = self.gotos[node]
        goto: Any = ways[0] if len(ways) == 1 and self.chance(0.5) else list(ways)
        if self.chance(0.4):
            test = self.condition()
            goto = {"$if": [test, goto, self.rng.choice([END, []])]}
        command = {"update": update, "goto": goto}
        if self.chance(0.15):
            # Single writes are shown in the order of the keys, which JSON does not have.
            command["update"] = dict(sorted(update.items()))
            return [command, {"update": {"log": [[node, "more"]]}}]
        return command
