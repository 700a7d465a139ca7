#!/usr/bin/env python3
"""Writes random cases with the traces that LangGraph gives.

    generate.py --seed N --count K --out FOLDER     NAME.json and NAME.expected.json of each
    generate.py --graphs ..                         programs of the Graph API

A case depends on its seed and number only. Its session is grown while it runs: what comes next
depends on what came of the last operation.
"""

import argparse
import logging
import random
import warnings
from pathlib import Path

warnings.filterwarnings("ignore")
logging.disable(logging.ERROR)

from driver import Driver  # noqa: E402
from function_driver import FunctionDriver  # noqa: E402
from graph_driver import GraphDriver  # noqa: E402
from oracle import dump  # noqa: E402


#: LangGraph's threads sometimes get in each other's way on a busy machine.
TRIES = 3


def generate(kind: type[Driver], seed: int, number: int) -> tuple[Driver, dict]:
    """A session that has grown, and its trace."""
    name = f"{kind.LABEL}-{seed}-{number}"
    driver = kind(name, random.Random(f"{seed} {number}"))
    driver.grow()
    return driver, {"dsl": 1, "name": name, "ops": driver.trace}


def foreign_errors(kind: type[Driver], trace: dict) -> set[str]:
    """Kinds of errors that sessions of this kind do not have."""
    return {op["error"]["kind"] for op in trace["ops"] if "error" in op} - kind.ERRORS


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--graphs", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    kind = GraphDriver if options.graphs else FunctionDriver
    for number in range(options.first, options.first + options.count):
        for _ in range(TRIES):
            driver, trace = generate(kind, options.seed, number)
            foreign = foreign_errors(kind, trace)
            if not foreign:
                break
        else:
            print(f"left out {trace['name']}, on which LangGraph fails with {foreign}")
            continue
        stem = options.out / trace["name"]
        stem.with_suffix(".json").write_text(dump(driver.case))
        stem.with_suffix(".expected.json").write_text(dump(trace))


if __name__ == "__main__":
    main()
