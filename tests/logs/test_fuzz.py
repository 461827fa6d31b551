"""Whatever a file holds: a record, or one sentence. Never another error, never much memory."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from unstuck.curves.outcome import judge
from unstuck.logs.read import records
from unstuck.logs.roles import Choice
from unstuck.reading import Unusable
from unstuck.record.reader import Record
from unstuck.schema.facts.run import Log
from unstuck.schema.signals.losses import TRAIN_LOSS

LOGS = Path(__file__).parent.parent / "data" / "logs"
WRITTEN = [path for path in sorted(LOGS.rglob("*")) if path.is_file() and path.suffix != ".py"]
thorough = settings(max_examples=40, deadline=None, derandomize=True)

words = st.sampled_from([
    "loss", "val_loss", "epoch", "step", "train", "acc", "lr", ":", "=", ",", "\t", ";", "|", " ",
    "\n", "\r", "\x08", "\x1b[0m", "{", "}", "[", "]", '"', "'", "nan", "inf", "-", "1e-3", "0.5",
    "12", "1e999", "9" * 30, "/", "%", "(", ")", "\0", "é", "\ufeff", "tensor(", "null", "#",
    "Test:",
])


def judged(content: bytes, choice: Choice = Choice()) -> list[Record] | str:  # noqa: B008
    """The records of a file with this content, all of them judged, or the sentence that refuses it.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "log"
        file.write_bytes(content)
        try:
            found = list(records(file, choice))
        except Unusable as error:
            return str(error)
    for record in found:
        series = record.series(TRAIN_LOSS)
        assert len(series)
        assert np.all(np.diff(series.steps) >= 0)
        assert np.all(series.steps >= 0)
        assert record.fact(Log) is not None
        assert judge(record).says
    return found


@cache
def known_records(path: Path) -> list[Record]:
    """Those of a whole file."""
    found = judged(path.read_bytes())
    assert isinstance(found, list)
    return found


def is_sentence(text: str) -> bool:
    """Whether a refusal can be shown: one line that says which file it is about."""
    return 20 < len(text) < 3000 and "\n" not in text and "log" in text


def points(found: list[Record]) -> list[tuple[int, float]]:
    """The points of a train curve; NaN is compared by its name."""
    series = found[0].series(TRAIN_LOSS)
    return list(zip(series.steps.tolist(), map(repr, series.values.tolist()), strict=True))


@thorough
@given(st.binary(max_size=400))
def test_any_bytes(content: bytes) -> None:
    found = judged(content)
    assert found if isinstance(found, list) else is_sentence(found)


@thorough
@given(st.lists(words, max_size=80))
def test_any_scraps_of_logs(scraps: list[str]) -> None:
    found = judged("".join(scraps).encode())
    assert found if isinstance(found, list) else is_sentence(found)


@thorough
@given(st.sampled_from(WRITTEN), st.floats(0, 1))
def test_of_a_file_cut_off_anywhere_what_is_there_counts(path: Path, share: float) -> None:
    content = path.read_bytes()
    whole, found = known_records(path), judged(content[: round(share * len(content))])
    if isinstance(found, str):
        assert is_sentence(found)
        assert share < 0.9 or path.suffix == ".json"
        return
    logs = [made[0].fact(Log) for made in (whole, found)]
    assert logs[0] is not None
    assert logs[1] is not None
    if logs[0].train == logs[1].train and logs[0].unit == logs[1].unit:
        known = dict(points(whole))
        same = [known.get(step) == value for step, value in points(found)]
        # Of a bar that was still moving when the text ends, passing states may count.
        assert sum(same) >= len(same) - 1 or logs[0].format == "console text"


@thorough
@given(st.sampled_from(WRITTEN), st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)),
                                          min_size=1, max_size=20))
def test_any_file_with_spoilt_bytes(path: Path, spoilt: list[tuple[float, int]]) -> None:
    content = bytearray(path.read_bytes())
    for share, byte in spoilt:
        content[round(share * (len(content) - 1))] = byte
    found = judged(bytes(content))
    assert found if isinstance(found, list) else is_sentence(found)


@thorough
@given(st.sampled_from(WRITTEN), st.sampled_from(WRITTEN))
def test_two_files_in_one(first: Path, second: Path) -> None:
    found = judged(first.read_bytes()[:3000] + second.read_bytes()[:3000])
    assert found if isinstance(found, list) else is_sentence(found)


numbers = st.one_of(st.none(), st.floats(), st.integers(-3, 10), st.just(2.0**63), st.just(-1.0))


@thorough
@given(st.dictionaries(st.sampled_from(["loss", "val_loss", "step", "epoch", "lr", "acc", "batch"]),
                       st.lists(numbers, min_size=1, max_size=40), min_size=1),
       st.sampled_from([None, "loss", "acc", "step", "nothing"]), st.sampled_from([None, True]))
def test_any_numbers_in_any_columns(
    columns: dict[str, list[float | None]], train: str | None, higher: bool | None,
) -> None:
    rows = max(map(len, columns.values()))
    lines = [",".join(columns)]
    for row in range(rows):
        cells = [column[row] if row < len(column) else None for column in columns.values()]
        lines.append(",".join("" if cell is None else repr(cell) for cell in cells))
    found = judged("\n".join(lines).encode(), Choice(train, None, higher))
    if isinstance(found, str):
        assert is_sentence(found)
        return
    log = found[0].fact(Log)
    assert log is not None
    assert train in (None, log.train)
    assert higher in (None, log.higher_is_better)


nested = st.recursive(
    st.one_of(st.none(), st.booleans(), st.floats(), st.integers(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from(["loss", "val_loss", "epoch", "0", "1", "log_history"]),
                        inner, max_size=4)),
    max_leaves=30)


@thorough
@given(nested)
def test_any_document(document: object) -> None:
    import json

    found = judged(json.dumps(document).encode())
    assert found if isinstance(found, list) else is_sentence(found)


def test_infinite_counters_of_a_bar_give_no_warning() -> None:
    for counters in (b"inf", b"1e308", b"-1e308"), (b"inf", b"inf", b"inf"):
        judged(b"".join(b"step: %s, loss: 0.5\r" % each for each in 3 * counters) + b"\n")
