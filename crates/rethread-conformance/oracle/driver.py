"""What random sessions have in common: each grows while it runs."""

import random
from typing import Any

from sessions import Session

MODES = ["values", "updates", "custom", "tasks", "checkpoints", "debug"]
#: No run of a generated program has more questions and failures.
STEPS_MAX = 60


class Driver:
    """Grows a session on a program."""

    #: What its cases are named after.
    LABEL = ""
    #: Kinds of errors that operations may have; others are troubles of LangGraph.
    ERRORS: set[str] = set()

    def __init__(self, name: str, rng: random.Random, program: Any) -> None:
        self.rng, self.program = rng, program
        self.case = program.case(name)
        self.session = Session(self.case)
        self.trace: list[dict] = []
        self.has_failed = False

    def grow(self) -> None:
        """Does all operations."""
        raise NotImplementedError

    def do(self, **op) -> dict:
        self.case["session"].append(op)
        observed = self.session.operation(op)
        self.trace.append(observed)
        return observed

    def chance(self, of: float) -> bool:
        return self.rng.random() < of

    def state(self, thread: str) -> Any:
        """How a thread stands; not a part of the session."""
        return self.session.graph({}).get_state({"configurable": {"thread_id": thread}})

    def asked(self, thread: str) -> list[str]:
        """The ids of the questions that are open."""
        return [one.id for one in self.state(thread).interrupts]

    def length(self) -> int:
        config = {"configurable": {"thread_id": "1"}}
        return len(list(self.session.graph({}).get_state_history(config)))
