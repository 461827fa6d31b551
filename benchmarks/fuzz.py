"""Records and logs, spoilt in thousands of ways: `python -m benchmarks.fuzz [MUTATIONS] [SEED]`.

Each is read, judged and printed in a process of bounded memory. It must be refused in one sentence
or judged, in bounded processor time, without an error of a cause, a warning, or a character that
controls a terminal. A mutation is made by its number and the seed alone.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import multiprocessing
import random
import re
import resource
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import Any

from harness.logs import judging
from unstuck.clean import visible
from unstuck.judge.engine import diagnose
from unstuck.logs.read import records
from unstuck.reading import Unusable
from unstuck.record.reader import EVENTS, UnusableRecord, read_record
from unstuck.report import logs, schema, terminal

DATA = Path(__file__).resolve().parent.parent / "tests" / "data"
SECONDS = 20.0  # of processor time for one input; the slowest of 10,000 took a tenth
MEMORY = 1 << 30  # bytes of address space beyond what the process has before
LARGEST = 200_000  # bytes of a mutation

Mutation = Callable[[random.Random, bytes, bytes], bytes]


@dataclass(frozen=True)
class Seed:
    """A good file: a record's events, or another tool's log."""

    name: str
    content: bytes
    record: bool


def seeds() -> list[Seed]:
    """The good files: those kept in the repository, and logs in the style of each tool."""
    ours = [Seed(path.name, gzip.decompress(path.read_bytes()), True)
            for path in sorted((DATA / "records").glob("*.gz"))]
    theirs = [Seed(str(path.relative_to(DATA)), path.read_bytes(), False)
              for path in sorted((DATA / "logs").rglob("*"))
              if path.is_file() and path.suffix != ".py"]
    styled = [Seed(f"{case.name}/{name}", content, False)
              for aside in (False, True) for case in judging.cases(aside)
              for name, content in case.files.items() if len(content) > 100]
    return ours + theirs + styled


# Bytes -------------------------------------------------------------------------------------------
_TOKENS = [
    b"\0", b"\n", b"\r", b"\r\n", b"\x1b[31m", b"\x08", b",", b";", b"\t", b"|", b"[", b"]", b"{",
    b"}", b'"', b":", b"nan", b"inf", b"-1", b"1e308", b"1e999", b"9" * 30, b"9" * 5000,
    b"%" * 2000, b"[" * 500, b"null", b"true", b"\xff\xfe", b"\xc3", b"\xe2\x80\xae", b"\\ud800",
    b"loss", b"val_loss", b"tensor(",
]


def _spans(rng: random.Random, content: bytes) -> tuple[int, int]:
    first = rng.randrange(len(content) + 1)
    return first, min(first + int(rng.paretovariate(0.6)), len(content))


def _flip(rng: random.Random, content: bytes, _: bytes) -> bytes:
    spoilt = bytearray(content)
    for _ in range(rng.randrange(1, 12)):
        spoilt[rng.randrange(len(spoilt))] = rng.randrange(256)
    return bytes(spoilt)


def _cut(rng: random.Random, content: bytes, _: bytes) -> bytes:
    return content[: rng.randrange(len(content))]


def _drop(rng: random.Random, content: bytes, _: bytes) -> bytes:
    first, last = _spans(rng, content)
    return content[:first] + content[last:]


def _insert(rng: random.Random, content: bytes, _: bytes) -> bytes:
    at = rng.randrange(len(content) + 1)
    return content[:at] + rng.choice(_TOKENS) * rng.choice((1, 1, 3, 40)) + content[at:]


def _repeat(rng: random.Random, content: bytes, _: bytes) -> bytes:
    first, last = _spans(rng, content)
    return content[:last] + content[first:last] * rng.choice((1, 3, 100)) + content[last:]


def _inside_a_character(rng: random.Random, content: bytes, _: bytes) -> bytes:
    at = rng.randrange(len(content) + 1)
    return content[:at] + "é中🙂".encode()[: rng.randrange(1, 9)] + rng.choice((b"", content[at:]))


def _other_ends(rng: random.Random, content: bytes, _: bytes) -> bytes:
    return b"".join(line + rng.choice((b"\n", b"\r\n", b"\r", b"\n\n"))
                    for line in content.splitlines())


def _lines(rng: random.Random, content: bytes, other: bytes) -> bytes:
    """Lines in another order, twice, not at all, or among those of another file."""
    lines = content.splitlines(keepends=True)
    how = rng.randrange(4)
    if how == 0:
        first = rng.randrange(len(lines))
        part = lines[first : first + 50]
        rng.shuffle(part)
        lines[first : first + 50] = part
    elif how == 1:
        lines[1:] = lines[:0:-1]
    elif how == 2:
        lines = [line for line in lines for _ in range(rng.choice((0, 1, 1, 1, 2)))]
    else:
        for line in other.splitlines(keepends=True)[:200]:
            lines.insert(rng.randrange(len(lines) + 1), line)
    return b"".join(lines)


def _numbers(rng: random.Random, content: bytes, _: bytes) -> bytes:
    """Some numbers of the text as others."""
    share = rng.choice((0.002, 0.02, 0.3))
    new = [str(_number(rng)).encode() for _ in range(5)]
    return re.sub(rb"-?\d+(?:\.\d+)?", lambda found: rng.choice(new) if rng.random() < share
                  else found[0], content)


# JSON --------------------------------------------------------------------------------------------
def _number(rng: random.Random) -> Any:
    return rng.choice((0, -1, 1, 2, 10**9, 10**12, 2**62, 2**63, -2**70, 10**400, 1e308, -1e308,
                       1e-320, 0.5, -0.0, 1e18, 250_000_000, rng.randrange(1000), rng.random()))


def _value(rng: random.Random) -> Any:
    return rng.choice((
        _number(rng), _number(rng), None, True, "", "nan", "inf", "-inf", "NaN", [], {}, [[]],
        [_number(rng)] * 40, "x" * 5000, "a\x1b[31m\u202eb\n\tc", "\ud800", "\0", "0", "7", "train",
        {"a": _number(rng)}, {"type": "header"}, {str(i): i for i in range(200)}))


def _json(rng: random.Random, content: bytes, other: bytes) -> bytes:
    """One value of a line, or of the document, as another."""
    try:
        lines = [content.decode()] if content.count(b"\n") < 3 else content.decode().split("\n")
        if not isinstance(json.loads(lines[0]), dict):
            return _numbers(rng, content, other)
    except ValueError:
        return _numbers(rng, content, other)
    for _ in range(rng.choice((1, 1, 3, 30))):
        at = rng.randrange(len(lines))
        try:
            document = json.loads(lines[at])
        except ValueError:
            continue
        lines[at] = _encoded(rng, _altered(rng, document))
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def _altered(rng: random.Random, document: Any) -> Any:
    """The document with one place in it altered."""
    if isinstance(document, dict | list) and document and rng.random() < 0.85:
        keys = list(document) if isinstance(document, dict) else range(len(document))
        key = rng.choice(keys)
        how = rng.random()
        if how < 0.75:
            document[key] = _altered(rng, document[key])
        elif how < 0.85:
            del document[key]
        elif how < 0.93:
            document[key] = document[rng.choice(keys)]
        elif isinstance(document, list):
            document.append(document[key])
        else:
            document[rng.choice(("name", "step", "x" * 3000, "\x1b[2J", ""))] = document.pop(key)
        return document
    return _value(rng)


def _encoded(rng: random.Random, document: Any) -> str:
    text = json.dumps(document, ensure_ascii=rng.random() < 0.5)
    if isinstance(document, dict) and document and rng.random() < 0.1:  # a key that comes twice
        key = rng.choice(list(document))
        text = text[:-1] + f", {json.dumps(key)}: {json.dumps(_value(rng))}" + "}"
    return text


BYTES: tuple[Mutation, ...] = (_flip, _cut, _drop, _insert, _repeat, _inside_a_character,
                               _other_ends, _lines, _numbers)


def mutated(known: Sequence[Seed], number: int, seed: int) -> Seed:
    """The mutation of that number."""
    rng = random.Random(f"{seed}-{number}")
    chosen, other = rng.choice(known), rng.choice(known)
    content = chosen.content
    for _ in range(rng.choice((1, 1, 2, 4))):
        mutation = _json if rng.random() < 0.5 else rng.choice(BYTES)
        content = mutation(rng, content or b"x", other.content)[:LARGEST]
    return Seed(chosen.name, content, chosen.record)


# What must hold ----------------------------------------------------------------------------------
def fault_of(given: Seed, folder: Path) -> str | None:
    """What was wrong with reading, judging and printing a file; None if all was well."""
    file = folder / EVENTS if given.record else folder / "log"
    file.write_bytes(given.content)
    began = time.process_time()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            said = _of_record(file) if given.record else _of_log(file)
    except Unusable as error:
        if given.record and not isinstance(error, UnusableRecord):
            return f"{type(error).__name__} for a record"
        said = str(error)
        if not said or "\n" in said or len(said) > 3000:
            return f"no sentence: {said[:200]!r}"
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__} in {where.name}: {str(error)[:200]}"
    finally:
        file.unlink(missing_ok=True)
    if time.process_time() - began > SECONDS:
        return "took too long"
    if found := re.search(r"internal error[^.]*", said.replace("\n", " ")):
        return found[0][:300]
    return None


def _of_record(file: Path) -> str:
    diagnosis = diagnose(read_record(file))
    drawn = io.StringIO()
    terminal.render(diagnosis, notes=True, width=100, color=False, file=drawn)
    _check(drawn.getvalue(), schema.to_text(diagnosis))
    return " ".join(diagnosis.remarks)


def _of_log(file: Path) -> str:
    readings = [logs.Reading(record, diagnose(record)) for record in records(file)]
    drawn = io.StringIO()
    logs.render(readings, notes=True, quiet=False, width=100, file=drawn)
    _check(drawn.getvalue(), schema.runs_to_text([(r.log.file, r.diagnosis) for r in readings]))
    return " ".join(remark for reading in readings for remark in reading.diagnosis.remarks)


def _check(drawn: str, text: str) -> None:
    json.loads(text)
    for shown in (drawn, text):
        bad = {c for c in set(shown) - {"\n"} if visible(c) != c}
        if bad - set("\u200c\u200d"):
            raise AssertionError(f"prints {''.join(sorted(bad))!a}")


# Many of them ------------------------------------------------------------------------------------
def faults(numbers: Sequence[int], seed: int, only: str = "") -> Iterator[tuple[int, str]]:
    """The mutations of these numbers that something was wrong with, from a bounded process.

    `only` is "records" or "logs"; "" takes both.
    """
    context = multiprocessing.get_context("spawn")
    told: SimpleQueue[tuple[int, str | None]] = context.SimpleQueue()
    child = context.Process(target=_bounded, args=(list(numbers), seed, told, only))
    child.start()
    left = list(numbers)
    while left:
        while told.empty() and child.is_alive():
            child.join(0.05)
        if told.empty():
            yield left[0], f"ended the process with {child.exitcode}"
            break
        number, fault = told.get()
        left.remove(number)
        if fault is not None:
            yield number, fault
    child.join()


def _bounded(numbers: list[int], seed: int, told: SimpleQueue[tuple[int, str | None]],
             only: str) -> None:
    known = [one for one in seeds() if only in ("", "records" if one.record else "logs")]
    with tempfile.TemporaryDirectory() as name:
        for warm in known:  # whatever is imported lazily comes before the bound
            fault_of(warm, Path(name))
        most = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (most + MEMORY, most + MEMORY))
        for number in numbers:
            told.put((number, fault_of(mutated(known, number, seed), Path(name))))


def main() -> None:
    """Prints each fault, and how many there were of each kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mutations", nargs="?", type=int, default=10_000)
    parser.add_argument("seed", nargs="?", type=int, default=0)
    parser.add_argument("--only", choices=("records", "logs"), default="",
                        help="mutate only records, or only logs of other tools")
    asked = parser.parse_args()
    kinds: Counter[str] = Counter()
    for start in range(0, asked.mutations, 500):
        for number, fault in faults(range(start, min(start + 500, asked.mutations)), asked.seed,
                                    asked.only):
            kinds[re.sub(r"\d+", "N", fault)[:90]] += 1
            print(f"{number}: {fault!a}", flush=True)
    for kind, count in kinds.most_common():
        print(f"{count:6} {kind!a}")
    print(f"{asked.mutations:,} mutations of {len(seeds())} files: {sum(kinds.values())} faults")
    raise SystemExit(bool(kinds))


if __name__ == "__main__":
    main()
