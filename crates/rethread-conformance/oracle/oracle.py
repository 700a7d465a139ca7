#!/usr/bin/env python3
"""Runs cases of the conformance language on LangGraph.

    oracle.py CASE.json                  prints the trace of a case (- reads standard input)
    oracle.py --out FOLDER PATH...       writes NAME.json and NAME.expected.json of each case;
                                         of a folder, those of all cases in it
"""

import argparse
import json
import logging
import sys
import warnings
from pathlib import Path

warnings.filterwarnings("ignore")
logging.disable(logging.ERROR)

from sessions import Session  # noqa: E402


def dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def cases(paths: list[str]) -> list[Path]:
    found: list[Path] = []
    for path in map(Path, paths):
        inside = sorted(path.glob("*.json")) if path.is_dir() else [path]
        found += [one for one in inside if one.name.count(".") == 1]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("paths", nargs="+")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if options.paths == ["-"]:
        print(dump(Session(json.load(sys.stdin)).run()))
        return
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
    for path in cases(options.paths):
        source = path.read_text()
        trace = Session(json.loads(source)).run()
        if options.out is None:
            print(dump(trace))
            continue
        (options.out / path.name).write_text(source)
        (options.out / path.with_suffix(".expected.json").name).write_text(dump(trace))


if __name__ == "__main__":
    main()
