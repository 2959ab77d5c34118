"""Fuzz the readers: damaged files of every format, each read in every way and followed to facts.

    python tests/fuzz/run.py [--minutes 10] [--seed 1] [--only NAME ...]

Needs no JVM. Prints what became of the inputs by format, and of each failure its format and number
(by which it is made again: --only NAME --number N), the problem and a minimised input. Exits with 1
if there was any.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.fuzz.campaign import Failure, failure_of, input_of, minimised, outcome_of
from tests.fuzz.formats import FORMATS, Fuzzed

PER_SEED = 10_000_000  # numbers of inputs
MOST = 5  # failures of a format, after which it is left alone


def main() -> int:
    """Run for the time given; 1 if an input failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--number", type=int, help="one input alone")
    parser.add_argument("--only", nargs="*", default=[], help="names of formats, or their starts")
    given = parser.parse_args()
    faulthandler.enable()
    chosen = [f for f in FORMATS if not given.only or f.name.startswith(tuple(given.only))]
    if given.number is not None:
        return _one(chosen[0], given.number)
    return _campaign(chosen, given.seed * PER_SEED, 60 * given.minutes)


def _one(fuzzed: Fuzzed, number: int) -> int:
    content = input_of(fuzzed, number)
    print(content)
    print(outcome_of(fuzzed, number, content))
    return 0


def _campaign(chosen: Sequence[Fuzzed], first: int, seconds: float) -> int:
    started = time.monotonic()
    outcomes = {fuzzed.name: Counter[str]() for fuzzed in chosen}
    failures: list[Failure] = []
    for fuzzed, number in _turns(chosen, first):
        if time.monotonic() - started > seconds:
            break
        counts = outcomes[fuzzed.name]
        if counts["failed"] >= MOST:
            continue
        content = input_of(fuzzed, number)
        try:
            counts[outcome_of(fuzzed, number, content)] += 1
        except Exception:  # made again and minimised
            counts["failed"] += 1
            failure = failure_of(fuzzed, number, content)
            if failure is not None:
                failures.append(minimised(fuzzed, failure))
                print(failures[-1], flush=True)
    n_inputs = sum(sum(counts.values()) for counts in outcomes.values())
    for name, counts in outcomes.items():
        print(f"{name:14}", dict(counts))
    per_second = round(n_inputs / (time.monotonic() - started), 1)
    summary = {"inputs": n_inputs, "inputs_per_s": per_second, "failures": len(failures)}
    print(json.dumps(summary))
    return 1 if failures else 0


def _turns(chosen: Sequence[Fuzzed], first: int) -> Iterator[tuple[Fuzzed, int]]:
    """Every format's seeds, and then an input of every format in turn, without end."""
    for fuzzed in chosen:
        for number in range(len(fuzzed.seeds)):
            yield fuzzed, number
    number = max(first, 1000)
    while True:
        for fuzzed in chosen:
            yield fuzzed, number
        number += 1


if __name__ == "__main__":
    sys.exit(main())
