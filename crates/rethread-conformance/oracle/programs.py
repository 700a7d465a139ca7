"""Random programs of the conformance language.

Left out is what LangGraph leaves to chance, and its defects that Rethread does not share (the
comments name them as docs/langgraph-differences.md does).
"""

import random
from typing import Any

from tasks import HARMLESS, PARALLEL, Block, Tasks, var


class Program(Tasks):
    """A random program, and what its runs may do."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        #: Runs may be interrupted.
        self.asks = rng.random() < 0.6
        #: Runs may fail, and are continued then.
        self.fails = rng.random() < 0.3
        self.subs: dict[str, dict] = {}
        for depth in range(rng.choice([0, 0, 1, 1, 2])):
            # Its body may call those made before it: no recursion.
            history, name = self.history(), f"sub{depth}"
            body = Body(self, ["input"], is_main=False)
            before = {"let": "before", "be": {"$else": [var("previous"), 0]}}
            block = [before] if history == "thread" else []
            body.known += ["before"] if block else []
            self.subs[name] = {"checkpointer": history, "body": [*block, *body.make()]}
        main: dict[str, Any] = {"body": Body(self, ["input"], is_main=True).make()}
        # D13: no replay sees the attempts of an entrypoint. D09: a further attempt gets the
        # last results of children with histories.
        histories = [sub["checkpointer"] for sub in self.subs.values()]
        self.keeps_histories = "thread" in histories
        if not (self.asks or self.fails or self.keeps_histories) and rng.random() < 0.1:
            main["retry"] = {"initial_interval_ms": 1}
            fail = {"if": {"$lt": [var("attempt"), 2]}, "then": [{"raise": "CustomError"}]}
            main["body"].insert(rng.randrange(len(main["body"])), fail)
        self.entrypoints = {"main": main, **self.subs}

    def history(self) -> str:
        # D09: histories of threads only where no run is resumed. D10: `off` likewise.
        if self.asks or self.fails:
            return "inherit"
        return self.rng.choice(["inherit", "inherit", "thread", "off"])

    def case(self, name: str) -> dict:
        program = {"tasks": self.tasks, "entrypoints": self.entrypoints}
        return {"dsl": 1, "name": name, "tags": ["generated"], "program": program, "session": []}


class Body:
    """Makes the body of an entrypoint."""

    def __init__(self, program: Program, known: list[str], is_main: bool) -> None:
        self.program, self.rng = program, program.rng
        self.known, self.is_main = known, is_main
        #: Parallel calls that are waited for at the end.
        self.open: list[str] = []

    def make(self) -> Block:
        block: Block = []
        if self.is_main:
            before = {"$mod": [{"$else": [var("previous.n"), 0]}, 991]}
            given = {"$else": [var("context.n"), 5]}
            block += [{"let": "before", "be": before}, {"let": "given", "be": given}]
            self.known += ["before", "given"]
        for _ in range(self.rng.randint(2, 5) if self.is_main else self.rng.randint(1, 3)):
            block += self.statement()
        block += [{"await": group, "to": f"{group}_all"} for group in self.open]
        number = self.program.number(self.known)
        if not self.is_main:
            return [*block, {"return": {"$mod": [number, 991]}}]
        value = {"n": number, "of": [var(name) for name in self.known[-4:]]}
        if self.rng.random() < 0.3:
            save = {"n": self.program.number(self.known)}
            return [*block, {"final": [self.rng.choice([value, number]), save]}]
        return [*block, {"return": value}]

    def statement(self) -> Block:
        program = self.program
        weights = {
            "call": 6.0,
            "group": 3.0,
            "write": 1.5,
            "branch": 1.5,
            "repeat": 1.5,
            "until": 0.7,
            "pause": 0.3,
            "find": 0.4,
            "count": 0.5,
            "ask": 2.0 if program.asks else 0,
            "ask_often": 0.4 if program.asks else 0,
            "call_asking": 2.0 if program.asks else 0,
            "call_failing": 4.0 if program.fails else 0,
            "child": 3.0 if program.subs else 0,
            "delegate": 1.0 if program.subs and self.is_main else 0,
            # D14: a handled failure is not replayed.
            "handle": 1.0 if not (program.asks or program.fails) else 0,
            "handle_group": 0.5 if not (program.asks or program.fails) else 0,
            # What still runs when a run fails is left to chance.
            "drop": 0.7 if self.is_main and not program.fails else 0,
        }
        kind = self.rng.choices(list(weights), list(weights.values()))[0]
        return getattr(self, kind)()

    def fresh(self) -> str:
        return self.program.name("x")

    def number(self) -> Any:
        return self.program.number(self.known)

    def learn(self, name: str) -> str:
        self.known.append(name)
        return name

    def calling(self, kind: str) -> Block:
        call = {"do": self.program.task(kind), "args": [self.number()]}
        return [{**call, "to": self.learn(self.fresh())}]

    def call(self) -> Block:
        return self.calling(self.rng.choice(HARMLESS))

    def call_asking(self) -> Block:
        return self.calling("asks")

    def call_failing(self) -> Block:
        return self.calling("fails_once")

    def delegate(self) -> Block:
        return self.calling("delegates")

    def ask(self) -> Block:
        question = self.program.question(self.known)
        return [{"interrupt": question, "to": self.learn(self.fresh())}]

    def ask_often(self) -> Block:
        name = self.fresh()
        question = {"interrupt": self.program.question([*self.known, f"{name}_i"]), "to": name}
        self.learn(name)
        times = {"$range": self.rng.randint(1, 2)}
        first = {"let": name, "be": 0}
        return [first, {"for": f"{name}_i", "in": times, "body": [question]}]

    def child(self) -> Block:
        sub, given = self.rng.choice(list(self.program.subs)), self.number()
        return [{"sub": sub, "input": given, "to": self.learn(self.fresh())}]

    def group(self) -> Block:
        """Parallel calls. D03: none of them asks."""
        group = self.program.name("g")
        call = {"spawn": self.program.task(self.rng.choice(PARALLEL)), "push": group}
        call["args"] = [{"$add": [var(f"{group}_i"), self.program.number(self.known, 0)]}]
        count = {"$range": self.rng.randint(2, 3)}
        made = {"for": f"{group}_i", "in": count, "body": [call]}
        if self.is_main and not self.program.fails and self.rng.random() < 0.4:
            self.open.append(group)
            return [made]
        name = self.fresh()
        use = {"let": name, "be": var(f"{group}_all.{self.rng.randint(0, 1)}")}
        self.learn(name)
        return [made, {"await": group, "to": f"{group}_all"}, use]

    def write(self) -> Block:
        return [{"write": self.program.value(self.known)}]

    def simple(self) -> dict:
        task = self.program.task(self.rng.choice(HARMLESS))
        return self.rng.choice(
            [
                {"write": self.program.value(self.known)},
                {"do": task, "args": [self.number()]},
                {"count": "branches"},
            ]
        )

    def branch(self) -> Block:
        chosen: dict = {"if": self.program.condition(self.known), "then": [self.simple()]}
        if self.rng.random() < 0.5:
            chosen["else"] = [self.simple(), self.simple()]
        return [chosen]

    def repeat(self) -> Block:
        name = self.fresh()
        task = self.program.task(self.rng.choice(["plain", "loud", "cached", "retried"]))
        step = {"do": task, "args": [var(name)], "to": name}
        times = {"$range": self.rng.randint(1, 3)}
        first = {"let": name, "be": self.program.below(self.known, 4)}
        self.learn(name)
        return [first, {"for": f"{name}_i", "in": times, "body": [step]}]

    def until(self) -> Block:
        name = self.fresh()
        step = {"do": self.program.task("plain"), "args": [var(name)]}
        more = {"let": name, "be": {"$add": [var(name), 1]}}
        first = {"let": name, "be": self.program.below(self.known, 3)}
        self.learn(name)
        return [first, {"while": {"$lt": [var(name), 3]}, "body": [step, more]}]

    def pause(self) -> Block:
        return [{"sleep_ms": self.rng.randint(1, 10)}]

    def find(self) -> Block:
        """Reads what calls before it have stored."""
        name = self.fresh()
        found = {"search": ["numbers"], "to": f"{name}_found"}
        if self.rng.random() < 0.5:
            found["filter"] = {"n": {"$quote": {"$gt": self.rng.randint(0, 50)}}}
        self.learn(name)
        return [found, {"let": name, "be": {"$len": var(f"{name}_found")}}]

    def count(self) -> Block:
        return [{"count": self.program.name("side")}]

    def handle(self) -> Block:
        failing = {"do": self.program.task("fails"), "args": [self.number()]}
        return [{"try": [failing], "catch": [{"write": var("error")}], "error": "error"}]

    def handle_group(self) -> Block:
        """The failing call is waited for last, so that nothing is left running."""
        group, made = self.program.name("g"), []
        for kind in ("slow", "loud", "fails"):
            call = {"spawn": self.program.task(kind), "args": [self.number()], "push": group}
            made.append(call)
        catch = [{"write": {"$cat": ["handled ", var("error.kind")]}}]
        return [*made, {"try": [{"await": group}], "catch": catch, "error": "error"}]

    def drop(self) -> Block:
        return [{"spawn": self.program.task("slow"), "args": [self.number()]}]
