"""Random expressions and tasks of the conformance language.

All variables hold whole numbers. What is left out is told in `programs.py`.
"""

import random
from typing import Any

Block = list[dict]


def var(name: str) -> dict:
    return {"$": name}


#: Kinds of tasks that neither ask nor fail.
HARMLESS = ["plain", "plain", "loud", "slow", "retried", "chain", "spread", "cached", "stores"]
#: Those of them that may run beside each other without an order.
PARALLEL = ["plain", "loud", "slow", "retried", "chain"]


class Tasks:
    """The tasks of a random program, made when they are first called."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.tasks: dict[str, dict] = {}
        self.kinds: dict[str, list[str]] = {}
        self.made = self.questions = 0

    def name(self, stem: str) -> str:
        self.made += 1
        return f"{stem}{self.made}"

    # --- expressions -------------------------------------------------------------------------

    def number(self, known: list[str], depth: int = 2) -> Any:
        choice = self.rng.random()
        if choice < 0.3:
            return self.rng.randint(0, 9)
        if choice < 0.7 or depth == 0:
            return var(self.rng.choice(known))
        first, second = self.number(known, depth - 1), self.number(known, depth - 1)
        operator = self.rng.choice(["$add", "$sub", "$mul", "$if"])
        if operator == "$if":
            return {"$if": [self.condition(known), first, second]}
        # Answers and products of products would outgrow 64 bits.
        return {"$mod": [{operator: [first, second]}, 9973]}

    def below(self, known: list[str], end: int) -> dict:
        return {"$mod": [self.number(known), end]}

    def condition(self, known: list[str]) -> dict:
        first, second = self.number(known, 0), self.number(known, 0)
        less = {"$lt": [first, second]}
        return self.rng.choice(
            [less, {"$not": less}, {"$eq": [{"$mod": [first, 3]}, 1]}, {"$or": [less, second]}]
        )

    def value(self, known: list[str]) -> Any:
        number = self.number(known)
        return self.rng.choice(
            [number, [number, None], {"n": number, "t": True}, {"$cat": ["n is ", number]}, {}, ""]
        )

    def question(self, known: list[str]) -> dict:
        self.questions += 1
        return {"$cat": [f"question {self.questions} on ", self.number(known, 0)]}

    # --- tasks: from a number to a number ----------------------------------------------------

    def task(self, kind: str) -> str:
        known = self.kinds.setdefault(kind, [])
        if known and self.rng.random() < 0.4:
            return self.rng.choice(known)
        name = self.name(kind)
        spec: dict[str, Any] = {"params": ["x"]}
        factor, more = self.rng.randint(1, 4), self.rng.randint(0, 9)
        result = {"$mod": [{"$add": [{"$mul": [var("x"), factor]}, more]}, 991]}
        spec |= getattr(self, f"task_{kind}")(name, {"return": result})
        known.append(name)
        self.tasks[name] = spec
        return name

    def task_plain(self, name: str, end: dict) -> dict:
        return {"body": [end]}

    def task_loud(self, name: str, end: dict) -> dict:
        first = {"write": {"$cat": [name, " of ", var("x")]}}
        return {"body": [first, {"write": [var("x")]}, end][self.rng.randint(0, 1) :]}

    def task_slow(self, name: str, end: dict) -> dict:
        return {"body": [{"sleep_ms": self.rng.randint(1, 12)}, end]}

    def task_retried(self, name: str, end: dict) -> dict:
        # It calls nothing: Rethread keeps what a task has called and finished when the task is
        # tried again, LangGraph does not.
        failures = self.rng.randint(1, 2)
        kind = self.rng.choice(["ConnectionError", "CustomError"])
        fail = {"if": {"$lt": [var("attempt"), failures + 1]}, "then": [{"raise": kind}]}
        attempts = failures + self.rng.randint(1, 3)
        retry = {"initial_interval_ms": 1, "max_attempts": attempts}
        return {"retry": retry, "body": [{"write": {"try": var("attempt")}}, fail, end]}

    def task_chain(self, name: str, end: dict) -> dict:
        first = self.task(self.rng.choice(["plain", "loud", "slow", "retried"]))
        second = self.task("plain")
        return {
            "body": [
                {"do": first, "args": [var("x")], "to": "y"},
                {"do": second, "args": [var("y")], "to": "x"},
                end,
            ]
        }

    def task_spread(self, name: str, end: dict) -> dict:
        inner = self.task(self.rng.choice(["plain", "loud", "slow"]))
        each = {"spawn": inner, "args": [{"$add": [var("x"), var("i")]}], "push": "made"}
        return {
            "body": [
                {"for": "i", "in": {"$range": self.rng.randint(2, 3)}, "body": [each]},
                {"await": "made", "to": "all"},
                {"let": "x", "be": {"$add": [var("all.0"), var("all.1")]}},
                end,
            ]
        }

    def task_cached(self, name: str, end: dict) -> dict:
        cache = self.rng.choice([{}, {}, {"key": {"$mod": [var("x"), 2]}}])
        return {"cache": cache, "body": [{"write": f"{name} works"}, end]}

    def task_stores(self, name: str, end: dict) -> dict:
        space = ["numbers", {"$str": {"$mod": [var("x"), 3]}}]
        before = {"get": [space, "last"], "to": "before"}
        keep = {"put": [space, "last", {"n": var("x")}]}
        return {"body": [before, keep, {"write": var("before")}, end]}

    def task_asks(self, name: str, end: dict) -> dict:
        body: Block = []
        for _ in range(self.rng.choice([1, 1, 1, 2])):
            body += [
                {"interrupt": self.question(["x"]), "to": "answer"},
                {"let": "x", "be": {"$add": [var("x"), var("answer")]}},
            ]
        if self.rng.random() < 0.4:
            body.insert(1, {"do": self.task("plain"), "args": [var("x")], "to": "x"})
        return {"body": [*body, end]}

    def task_fails_once(self, name: str, end: dict) -> dict:
        fail = {"raise": "ValueError", "message": {"$cat": [name, " fails on ", var("x")]}}
        return {"body": [{"if": {"$lt": [{"$count": name}, 2]}, "then": [fail]}, end]}

    def task_fails(self, name: str, end: dict) -> dict:
        return {"body": [{"raise": "KeyError", "message": {"$cat": ["no ", var("x")]}}]}

    def task_delegates(self, name: str, end: dict) -> dict:
        sub = self.rng.choice(list(self.subs))
        return {"body": [{"sub": sub, "input": var("x"), "to": "x"}, end]}
