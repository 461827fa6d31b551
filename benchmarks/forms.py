"""Whether programs get the same diagnosis in another form.

    python -m benchmarks.forms FOLDER [--only WORD ...] [--form WORD ...] [--share N]

Every program of the corpus is rewritten in every form that applies to it (corpus/forms) and run
under watch; the diagnosis must be that of the program as it was. FOLDER keeps the records, so that
what was stopped goes on where it was. `--share N` takes one combination in N, by lot.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import corpus
from corpus import Program
from corpus.forms import FORMS
from corpus.forms.form import Form
from harness.forms import Case, Compared, compare, prepare
from harness.records import ProgramFailed, record_of

JOBS = 2


def chosen(words: Sequence[str], forms: Sequence[str], share: int) -> list[
        tuple[Program, type[Form]]]:
    """The combinations that are wanted."""
    return [
        (program, form) for program in corpus.programs() for form in FORMS
        if (not words or any(word in str(program) for word in words))
        and (not forms or any(word in form.name() for word in forms))
        and int(hashlib.sha256(f"{program} {form.name()}".encode()).hexdigest(), 16) % share == 0]


def ran(file: Path, function: str) -> str | None:
    """Runs a program, and says what kept it from running."""
    try:
        record_of(file, function)
    except ProgramFailed as failure:
        return str(failure)[-300:]
    return None


def cases(pool: ThreadPoolExecutor, work: Sequence[tuple[Program, type[Form]]]) -> Iterator[
        tuple[Case, Compared]]:
    """Every combination that fits, with what became of it."""
    programs = list(dict.fromkeys((program.file, program.function) for program, _ in work))
    for _ in pool.map(lambda each: ran(*each), programs):
        pass
    # Only this thread parses: ast is not made for several.
    made = [case for program, form in work if (case := prepare(program, form))]
    for case, trouble in zip(made, pool.map(
            lambda case: ran(case.file, case.program.function), made), strict=True):
        yield case, Compared(True, (f"failed: {trouble}",)) if trouble else compare(case)


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(description="Whether a form changes a diagnosis.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="*", default=(), metavar="WORD")
    parser.add_argument("--form", nargs="*", default=(), metavar="WORD")
    parser.add_argument("--share", type=int, default=1, metavar="N")
    parser.add_argument("--jobs", type=int, default=JOBS, metavar="N")
    wanted = parser.parse_args(arguments)
    os.environ["UNSTUCK_TEST_RECORDS"] = str(wanted.folder)
    work = chosen(wanted.only, wanted.form, wanted.share)
    counts: dict[str, list[int]] = {}
    with ThreadPoolExecutor(wanted.jobs) as pool:
        for case, found in cases(pool, work):
            count = counts.setdefault(case.form.name(), [0, 0])
            if found.fits:
                count[bool(found.differences)] += 1
            if found.differences:
                print(f"{case}: {'; '.join(found.differences)}", flush=True)
    print(f"{'form':34}unchanged  changed")
    for name, (same, changed) in sorted(counts.items()):
        print(f"{name:34}{same:9}{changed:9}")
    same, changed = (sum(count[i] for count in counts.values()) for i in (0, 1))
    print(f"{'all':34}{same:9}{changed:9}   {same / max(same + changed, 1):.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
