"""The workloads of the benchmarks on LangGraph's functional API.

    driver.py sqlite|URL-of-PostgreSQL steps|fan-out|latency|resume|replay SIZE

Everything runs in this process, as it does in LangGraph; only the database is another one. Prints
one JSON line. With durability "sync" each checkpoint is stored before the run goes on.
"""

import asyncio
import json
import statistics
import sys
import tempfile
import time
import uuid
from contextlib import asynccontextmanager

from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.func import entrypoint, task
from langgraph.types import Command, interrupt
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

STEPS = 10
SECONDS = 2.0
RESUMES = 3
CONNECTIONS = 16


@task
async def noop(text: str) -> str:
    return text


class Programs:
    def __init__(self, checkpointer):
        @entrypoint(checkpointer=checkpointer)
        async def sequence(steps: int) -> int:
            for step in range(steps):
                await noop(f"{step:0>96}")
            return steps

        @entrypoint(checkpointer=checkpointer)
        async def fan_out(tasks: int) -> int:
            results = await asyncio.gather(*[noop(f"{task:0>96}") for task in range(tasks)])
            return len(results)

        @entrypoint(checkpointer=checkpointer)
        async def question(text: str) -> str:
            return interrupt(text)

        @entrypoint(checkpointer=checkpointer)
        async def remember(calls: int) -> int:
            for first in range(0, calls, 100):
                end = min(calls, first + 100)
                await asyncio.gather(*[noop(f"{call:0>96}") for call in range(first, end)])
            for number in range(RESUMES):
                interrupt(number)
            return calls

        self.sequence, self.fan_out = sequence, fan_out
        self.question, self.remember = question, remember


async def run(program, value, thread=None):
    config = {"configurable": {"thread_id": thread or str(uuid.uuid4())}}
    # Large runs need as many steps as they have tasks.
    config["recursion_limit"] = 1_000_000
    return await program.ainvoke(value, config, durability="sync")


async def batch(program, in_flight, threads):
    left = iter(range(threads))

    async def one_after_the_other():
        for _ in left:
            assert await run(program, STEPS) == STEPS

    begun = time.perf_counter()
    await asyncio.gather(*[one_after_the_other() for _ in range(in_flight)])
    return time.perf_counter() - begun


async def steps(programs, in_flight):
    await batch(programs.sequence, in_flight, in_flight)
    tried = await batch(programs.sequence, in_flight, in_flight)
    threads = in_flight * max(1, round(SECONDS / tried))
    took = await batch(programs.sequence, in_flight, threads)
    return f"{in_flight} threads in flight", {"steps_per_second": threads * STEPS / took}


async def fan_out(programs, tasks):
    await run(programs.fan_out, 100)
    begun = time.perf_counter()
    assert await run(programs.fan_out, tasks) == tasks
    return f"{tasks} tasks of one run", {"ms": (time.perf_counter() - begun) * 1e3}


async def latency(programs, runs):
    times = []
    for _ in range(runs):
        begun = time.perf_counter()
        assert await run(programs.sequence, 1) == 1
        times.append((time.perf_counter() - begun) * 1e6)
    return "one at a time", {"run_of_one_task_us_p50": statistics.median(times)}


async def resume(programs, threads):
    for number in range(threads):
        assert "__interrupt__" in await run(programs.question, "?", f"order-{number}")
    times = []
    for number in range(threads):
        begun = time.perf_counter()
        assert await run(programs.question, Command(resume="yes"), f"order-{number}") == "yes"
        times.append((time.perf_counter() - begun) * 1e6)
    return "one at a time, evicted", {"resume_us_p50": statistics.median(times)}


async def replay(programs, calls):
    assert "__interrupt__" in await run(programs.remember, calls, "long")
    times = []
    for number in range(RESUMES):
        begun = time.perf_counter()
        outcome = await run(programs.remember, Command(resume=True), "long")
        times.append((time.perf_counter() - begun) * 1e3)
        is_last = number == RESUMES - 1
        assert outcome == calls if is_last else "__interrupt__" in outcome
    return f"{calls} recorded results", {"resume_ms_p50": statistics.median(times)}


@asynccontextmanager
async def saver(database):
    if database == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            async with AsyncSqliteSaver.from_conn_string(f"{folder}/checkpoints.db") as saver:
                await saver.setup()
                yield saver
        return
    options = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
    pool = AsyncConnectionPool(database, min_size=CONNECTIONS, max_size=CONNECTIONS, kwargs=options, open=False)
    async with pool:
        saver = AsyncPostgresSaver(pool)
        await saver.setup()
        # What an earlier measurement left is gone.
        async with pool.connection() as connection:
            await connection.execute("TRUNCATE checkpoints, checkpoint_blobs, checkpoint_writes")
        yield saver


async def recorded(saver, calls):
    """How many results are stored."""
    found = [item async for item in saver.alist({"configurable": {"thread_id": "long"}})]
    return sum(len(item.pending_writes or []) for item in found), calls


async def main(database, workload, size):
    workloads = {"steps": steps, "fan-out": fan_out, "latency": latency, "resume": resume, "replay": replay}
    async with saver(database) as checkpointer:
        parameters, figures = await workloads[workload](Programs(checkpointer), size)
        if workload == "replay":
            stored, expected = await recorded(checkpointer, size)
            assert stored >= expected, f"{stored} of {expected} results are recorded"
    engine = "langgraph-sqlite" if database == "sqlite" else "langgraph-postgres"
    line = {"workload": workload, "parameters": parameters, "engine": engine, "figures": figures}
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
