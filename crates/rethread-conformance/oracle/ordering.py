"""Which events of a stream are ordered by the program, and which come by chance.

Every event passes one queue. A *strand* is a thread of control: a body with all that it calls
and waits for, or the body of a task. Each strand knows the set of events that surely came
before now, as the bits of a number. An event that a strand causes comes behind that set and
joins it; a task's strand begins with what its caller knew when it made the call; whoever waits
for a task learns what the task's strand knows. The nodes of a graph's step are like tasks that
the graph calls when the step begins and waits for when it ends. Nothing that LangGraph computes
is changed.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from langgraph._internal._queue import SyncQueue
from langgraph.pregel import _loop, _runner, main


class Strand:
    def __init__(self, known: int = 0) -> None:
        self.known = known


STRAND: ContextVar[Strand | None] = ContextVar("strand", default=None)
CALLED: ContextVar[str | None] = ContextVar("called", default=None)


class Recorder:
    """Takes down the events of one stream, with what precedes each."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.before: list[int] = []
        self.forks: dict[str, int] = {}
        self.strands: dict[str, Strand] = {}

    def note(self) -> None:
        strand = getattr(ACTING, "strand", None) or STRAND.get() or Strand()
        self.before.append(strand.known)
        strand.known |= 1 << (len(self.before) - 1)

    def begin_task(self, task: str) -> None:
        """The body of a task begins, maybe not for the first time."""
        with self.lock:
            known = self.forks.get(task, 0)
            STRAND.set(self.strands.setdefault(task, Strand(known)))

    def begin_entrypoint(self, task: str) -> None:
        """The body of an entrypoint begins; its caller waits for it."""
        strand = STRAND.get()
        if strand is not None:
            self.strands[task] = strand

    def node(self, task: str) -> Strand:
        """The strand of a graph's node, which begins with its step."""
        with self.lock:
            outer = STRAND.get()
            return self.strands.setdefault(task, Strand(outer.known if outer else 0))

    def join(self, task: str | None) -> None:
        """The current strand has waited for a task."""
        strand, other = STRAND.get(), self.strands.get(task or "")
        if strand is not None and other is not None:
            with self.lock:
                strand.known |= other.known

    def direct(self) -> list[list[int]]:
        """For each event those that precede it, without what follows from them."""
        lists = []
        for known in self.before:
            rest = known
            for place in bits(known):
                rest &= ~self.before[place]
            lists.append(bits(rest))
        return lists


def bits(number: int) -> list[int]:
    return [place for place in range(number.bit_length()) if number >> place & 1]


#: The strand in whose name this thread acts, if that is not the one it runs in.
ACTING = threading.local()
#: The recorder of the operation that is running. One runs at a time.
current = Recorder()
#: The recorder for the next queue that is made.
_waiting: list[Recorder] = []


@contextmanager
def acting(strand: Strand | None) -> Iterator[None]:
    outer = getattr(ACTING, "strand", None)
    ACTING.strand = strand
    try:
        yield
    finally:
        ACTING.strand = outer


def is_node(task: Any) -> bool:
    """Whether it is a node of a graph; else it is a call, or the one body of an entrypoint."""
    is_call = task.path[-1] is True
    is_body = tuple(task.triggers) == ("__start__",) and task.name != "__start__"
    return not (is_call or is_body)


def start() -> Recorder:
    """Begins an operation whose events are not looked at."""
    global current
    current = Recorder()
    return current


def start_stream() -> Recorder:
    """Begins an operation whose events pass the next queue that is made."""
    recorder = start()
    _waiting.append(recorder)
    return recorder


class Queue(SyncQueue):
    def __init__(self) -> None:
        super().__init__()
        self.recorder = _waiting.pop() if _waiting else None
        self.convert = getattr(self.recorder, "convert", None)

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        if self.recorder is None:
            return super().put(item, block, timeout)
        with self.recorder.lock:
            self.recorder.note()
            # Now: LangGraph goes on changing some of the objects that it has handed out.
            super().put((*item[:2], self.convert(item)), block, timeout)


def _install() -> None:
    accept_push = _loop.PregelLoop.accept_push
    output_writes = _loop.PregelLoop.output_writes
    after_tick = _loop.PregelLoop.after_tick
    suppress_interrupt = _loop.PregelLoop._suppress_interrupt
    map_debug_tasks = _loop.map_debug_tasks
    schedule_error_handler = _loop.SyncPregelLoop.schedule_error_handler
    run_with_retry = _runner.run_with_retry

    def call_made(self, task, place, call=None):
        made = accept_push(self, task, place, call)
        if made is not None:
            strand = STRAND.get()
            current.forks[made.id] = strand.known if strand else 0
            CALLED.set(made.id)
        return made

    def written(self, task_id, writes, *, cached=False):
        task = self.tasks.get(task_id)
        node = current.node(task_id) if task is not None and is_node(task) else None
        with acting(node or current.strands.get(task_id)):
            output_writes(self, task_id, writes, cached=cached)

    def step_over(self):
        for task_id in list(self.tasks):
            current.join(task_id)
        return after_tick(self)

    def step_left(self, *args, **kwargs):
        # A pause or failure is told behind all that its step has done.
        for task_id in list(getattr(self, "tasks", None) or ()):
            current.join(task_id)
        return suppress_interrupt(self, *args, **kwargs)

    def started(tasks):
        for task in tasks:
            node = current.node(task.id) if is_node(task) else getattr(ACTING, "strand", None)
            with acting(node):
                yield from map_debug_tasks([task])

    def handler_made(self, failed, error):
        task = schedule_error_handler(self, failed, error)
        if task is not None:
            current.strands[task.id] = current.node(failed.id)
        return task

    def run(task, *args, **kwargs):
        if not is_node(task):
            return run_with_retry(task, *args, **kwargs)
        token = STRAND.set(current.node(task.id))
        try:
            return run_with_retry(task, *args, **kwargs)
        finally:
            STRAND.reset(token)

    _loop.PregelLoop.accept_push = call_made
    _loop.PregelLoop.output_writes = written
    _loop.PregelLoop.after_tick = step_over
    _loop.PregelLoop._suppress_interrupt = step_left
    _loop.map_debug_tasks = started
    _loop.SyncPregelLoop.schedule_error_handler = handler_made
    _runner.run_with_retry = run
    main.SyncQueue = Queue


_install()
