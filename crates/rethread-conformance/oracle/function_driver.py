"""Random sessions on programs of the Functional API."""

import random

from driver import MODES, STEPS_MAX, Driver
from programs import Program


class FunctionDriver(Driver):
    LABEL = "random"
    ERRORS = {"ValueError"}

    def __init__(self, name: str, rng: random.Random) -> None:
        super().__init__(name, rng, Program(rng))
        # D01, D02: an answer without id is only given where it is used by the question that
        # it was given for: no run is given up, asked again or fails.
        self.answers_plainly = not self.program.fails and rng.random() < 0.5

    def begin(self, is_first: bool, **how) -> dict:
        # D12: a run that goes on after a failure or an answer may show updates it should not,
        # if it fails.
        if self.chance(0.45) or (self.program.fails and not is_first):
            return self.do(op="invoke", **how)
        modes = self.rng.sample(MODES, self.rng.randint(1, 4))
        if self.chance(0.35):
            how["subgraphs"] = True
        return self.do(op="stream", modes=modes, **how)

    def run(self, thread: str, **how) -> None:
        """A run with all that belongs to it."""
        self.session.last.pop(thread, None)
        options = {"metadata": {"lap": self.rng.randint(1, 3)}} if self.chance(0.15) else {}
        if self.chance(0.1):
            options["configurable"] = {"user": self.rng.choice(["ada", 7, True])}
        # A context that changes from one part of a run to the next changes its path (D26).
        context = {"context": {"n": self.rng.randint(0, 9)}} if self.chance(0.25) else {}
        if self.chance(0.2):
            # LangGraph breaks on `sync` with a child that keeps nothing.
            kept = all(sub["checkpointer"] != "off" for sub in self.program.subs.values())
            options["durability"] = self.rng.choice(["sync", "async"] if kept else ["async"])
        observed = self.begin(True, thread=thread, **how, **options, **context)
        for _ in range(STEPS_MAX):
            if "error" in observed:
                self.has_failed = True
                observed = self.begin(False, thread=thread, **{"continue": True}, **context)
                continue
            if not self.asked(thread):
                return
            # D16: after a failure a question that was answered is shown.
            if not self.has_failed and self.chance(0.3):
                self.do(op="state", thread=thread)
            if not self.answers_plainly:
                if self.chance(0.08):
                    again = {"continue": True, **context}
                    observed = self.begin(False, thread=thread, **again)
                    continue
                if self.chance(0.06):
                    return
            observed = self.answer(thread, context)
        raise AssertionError(f"{self.case['name']}: a run does not end")

    def answer(self, thread: str, context: dict) -> dict:
        answer = self.rng.randint(0, 9)
        if self.answers_plainly:
            return self.begin(False, thread=thread, resume=answer, **context)
        # D11: an id that was answered before may answer another question.
        known = [one["id"] for one in self.session.last.get(thread, [])]
        if known[:1] != self.asked(thread)[:1]:
            self.do(op="state", thread=thread)
        answers = [{"of": 0, "value": answer}]
        return self.begin(False, thread=thread, resume_map=answers, **context)

    def grow(self) -> None:
        for _ in range(self.rng.randint(1, 3)):
            self.run("1", input=self.rng.randint(0, 9))
            self.outside()
        if self.chance(0.3):
            self.run("2", input=self.rng.randint(0, 9))
            if self.chance(0.3):
                self.do(op="delete_thread", thread="2")
                self.do(op="state", thread="2")
        # D15: a failure stays in the record of the step that was continued.
        if not self.has_failed:
            self.do(op="history", thread="1", **self.arguments())
            # D07: a travelling run goes on with answers that were recorded.
            if not self.program.fails and self.chance(0.5):
                self.travel()
        if self.chance(0.4):
            self.update()
        if not self.has_failed:
            self.do(op="state", thread="1")

    def outside(self) -> None:
        """Uses store and cache from outside of runs."""
        if self.chance(0.1):
            last = {"n": self.rng.randint(0, 90)}
            self.do(op="store", put=[["numbers", str(self.rng.randint(0, 3))], "last", last])
        if self.chance(0.1):
            self.do(op="store", search=["numbers"])
        if self.chance(0.1):
            cached = [name for name, task in self.program.tasks.items() if "cache" in task]
            which = {"task": self.rng.choice(cached)} if cached and self.chance(0.5) else {}
            self.do(op="clear_cache", **which)

    def update(self) -> None:
        values = {"n": self.rng.randint(0, 9)}
        kind = self.rng.choice(["plain", "plain", "main", "__input__", "__end__", "__copy__"])
        if self.has_failed or self.asked("1"):
            kind = "plain"
        # D09: a continued run gets the last results of children with histories.
        if kind == "__input__" and self.program.keeps_histories:
            kind = "plain"
        if kind == "plain":
            self.do(op="update", thread="1", values=values)
        elif kind == "__input__":
            self.do(op="update", thread="1", values=self.rng.randint(0, 9), **{"as": kind})
            self.run("1", **{"continue": True})
        else:
            given = values if kind == "main" else None
            self.do(op="update", thread="1", values=given, **{"as": kind})
        self.run("1", input=1)

    def arguments(self) -> dict:
        if self.chance(0.7):
            return {}
        return self.rng.choice(
            [{"limit": 2}, {"filter": {"source": "input"}}, {"before": 1}, {"filter": {"lap": 2}}]
            if self.length() > 1
            else [{"limit": 1}]
        )

    def travel(self) -> None:
        at = self.rng.randrange(self.length())
        how = {"continue": True} if self.chance(0.5) else {"input": self.rng.randint(0, 9)}
        self.run("1", at=at, **how)
        self.do(op="history", thread="1")
