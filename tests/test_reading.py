"""Whatever a path leads to and a file holds: bounded, and refused in one sentence if need be."""

from __future__ import annotations

import gzip
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmarks.fuzz import DATA, faults
from unstuck import reading
from unstuck.causes.optimisation.learning_rate_too_low import travel
from unstuck.judge.engine import diagnose
from unstuck.logs import documents
from unstuck.logs.read import records
from unstuck.measures.basics import Updates
from unstuck.reading import Unusable
from unstuck.record import reader as record
from unstuck.record.reader import EVENTS, read_record
from unstuck.schema import signals
from unstuck.schema.quantities import PlaceSignal
from unstuck.schema.signals.losses import TRAIN_LOSS
from unstuck.schema.signals.parameters import WEIGHT_NORM

HEADER = '{"type":"header","schema":1,"version":"0","record":"abc"}\n'
ROWS = '{"type":"step","signal":"train-loss","rows":[[0,1],[1,0.5]]}\n'
SAMPLE = '{"type":"sample","signal":"weight-norm","step":1,"places":{"a":1,"b":1}}\n'
RECORDS = sorted((DATA / "records").glob("*.gz"))


def sentence_of(call: Callable[[Path], object], path: Path) -> str:
    with pytest.raises(Unusable) as caught:
        call(path)
    says = str(caught.value)
    assert "\n" not in says
    return says


def logs_of(path: Path) -> list[record.Record]:
    return list(records(path))


# Only regular files ------------------------------------------------------------------------------
@pytest.fixture(params=["direct", "link"])
def placed(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Path], Path]:
    """A path that leads there, itself or by a symbolic link."""
    def place(path: Path) -> Path:
        if request.param == "direct":
            return path
        (tmp_path / "link").symlink_to(path)
        return tmp_path / "link"
    return place


@pytest.mark.parametrize("call", [read_record, logs_of])
def test_what_is_no_regular_file_is_refused_at_once(
    call: Callable[[Path], object], placed: Callable[[Path], Path], tmp_path: Path,
) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, kind in ((tmp_path / "pipe", "a pipe"), (Path("/dev/zero"), "a device")):
        found = placed(path)
        assert f"{found} is {kind}, not a regular file" in sentence_of(call, found)
        (tmp_path / "link").unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(tmp_path / "s"))
    assert "cannot be read" in sentence_of(call, placed(tmp_path / "s"))
    listening.close()


def test_a_pipe_in_a_records_folder_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / EVENTS)
    assert "is a pipe" in sentence_of(read_record, tmp_path)
    (tmp_path / "folder" / EVENTS).mkdir(parents=True)
    assert "is a folder" in sentence_of(read_record, tmp_path / "folder")


def test_pipes_among_the_files_of_a_folder_are_passed_over(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "metrics.csv")
    assert "holds no training log" in sentence_of(logs_of, tmp_path)
    (tmp_path / "progress.csv").write_text("epoch,loss\n0,2\n1,1\n")
    assert len(logs_of(tmp_path)) == 1


# Bounds ------------------------------------------------------------------------------------------
def write(folder: Path, *lines: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / EVENTS).write_text(HEADER + "".join(lines))
    return folder


@pytest.mark.parametrize("call", [read_record, logs_of])
def test_a_file_that_is_too_large_is_refused_unread(
    call: Callable[[Path], object], tmp_path: Path,
) -> None:
    file = tmp_path / "file"
    file.write_text(HEADER)
    os.truncate(file, 2 << 30)
    assert sentence_of(call, file) == (
        f"{file} is larger than 1 GiB, the most that unstuck reads (it has 2 GiB)")


def test_a_pipe_without_an_end_is_given_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:
    from unstuck.logs.source import piped

    monkeypatch.setattr(reading, "LARGEST", 1 << 20)
    with Path("/dev/zero").open("rb") as endless, pytest.raises(Unusable) as caught, piped(endless):
        pass
    assert "standard input is larger than" in str(caught.value)


@pytest.mark.parametrize(("limit", "value", "lines", "says"), [
    ("LONGEST", 1 << 20, ["x" * (1 << 21)], "line 2 of {} is longer than 1 MiB"),
    ("MOST_VALUES", 100, ["[" + "1," * 200 + "1]"], "line 2 of {} holds more than 100 JSON values"),
    ("MOST_NUMBERS", 3, [ROWS, ROWS], "{} holds more than 3 numbers"),
    ("MOST_NUMBERS", 3, [SAMPLE, SAMPLE], "{} holds more than 3 numbers"),
    ("LARGEST", len(HEADER) + 5, [ROWS], "{} is larger than"),
])
def test_a_record_beyond_a_bound_is_refused(
    limit: str, value: int, lines: list[str], says: str,
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:
    folder = write(tmp_path / "record", *lines)
    monkeypatch.setattr(reading, limit, value)
    assert says.format(folder / EVENTS) in sentence_of(read_record, folder)


@pytest.mark.parametrize(("limit", "lines"), [
    ("MOST_FACTS", ['{"type":"odd","what":"a","step":1,"says":"b"}\n'] * 4),
    ("MOST_FACTS", [f'{{"type":"fact","fact":"freezing","data":{{"name":"{i}","location":null}}}}\n'
                    for i in range(4)]),
    ("MOST_SERIES", [f'{{"type":"sample","signal":"weight-norm","step":1,"places":{{"{i}":1}}}}\n'
                     for i in range(4)]),
    ("MOST_SERIES", [f'{{"type":"step","signal":"train-loss","track":"{i}","rows":[[0,1]]}}\n'
                     for i in range(4)]),
])
def test_a_record_of_too_many_things_is_refused(
    limit: str, lines: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:
    monkeypatch.setattr(record, limit, 3)
    assert "holds more than 3" in sentence_of(read_record, write(tmp_path / "record", *lines))


@pytest.mark.parametrize("line", [
    f'{{"type":"step","signal":"train-loss","rows":[[1{"0" * 30},1]]}}',
    '{"type":"step","signal":"train-loss","rows":[[1e308,1]]}',
    f'{{"type":"sample","signal":"weight-norm","step":1{"0" * 300},"places":{{"q":1}}}}',
    '{"type":"odd","what":"a","says":"b","step":1000000000001}',
])
def test_a_step_that_no_run_reaches_is_refused(line: str, tmp_path: Path) -> None:
    says = sentence_of(read_record, write(tmp_path / "record", ROWS, line))
    assert "contains step 1" in says
    assert "unstuck reads only steps up to 1,000,000,000,000" in says
    assert len(says) < 300


@pytest.mark.parametrize("line", [
    "[" * 100_000, '{"type":' * 100_000, "[" * 65 + "]" * 65, '{"a":"]]]]","b":' + "[" * 300,
])
def test_deep_nesting_is_refused(line: str, tmp_path: Path) -> None:
    folder = write(tmp_path / "record", ROWS, line)
    assert sentence_of(read_record, folder) == (
        f"line 3 of {folder / EVENTS} is nested more than 64 levels deep, the most that unstuck "
        "reads"
    )


def test_brackets_in_a_text_nest_nothing(tmp_path: Path) -> None:
    says = "[" * 500 + '\\"' + "{" * 500
    line = f'{{"type":"odd","what":"a","says":"{says}","step":1}}\n'
    assert read_record(write(tmp_path / "record", ROWS, line)).oddities[0].step == 1


@pytest.mark.parametrize("header", [
    '{"type":"header","schema":true,"version":"0","record":"abc"}',
    '{"type":"header","schema":1.0,"version":"0","record":"abc"}',
    '{"type":"header","schema":' + "9" * 4000 + ',"version":"0","record":"abc"}',
    '{"type":"header","schema":"' + "x" * 5000 + '","version":"0","record":"abc"}',
])
def test_another_schema_is_told_of_shortly(header: str, tmp_path: Path) -> None:
    (tmp_path / EVENTS).write_text(header + "\n")
    says = sentence_of(read_record, tmp_path)
    assert "has schema" in says
    assert len(says) < 300


def test_a_document_of_too_many_values_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:
    file = tmp_path / "log.json"
    file.write_text("[" + "[]," * 3_000_000 + "[]]")
    assert "holds more than 2,000,000 JSON values" in sentence_of(logs_of, file)
    monkeypatch.setattr(documents, "LARGEST", 1 << 20)
    assert "more than 1 MiB" in sentence_of(logs_of, file)


@pytest.mark.parametrize("text", [
    "step,loss\n" + "1,2\n" * 20, '{"step": 1, "loss": 2}\n' * 20, "step: 1 loss: 2\n" * 20,
    "1700000000000 0.5 1\n" * 20, json.dumps([{"step": 1, "loss": i} for i in range(20)]),
    "step,metric,value\n" + "1,loss,2\n" * 20,
])
def test_a_log_of_too_many_numbers_is_refused(
    text: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:
    monkeypatch.setattr(reading, "MOST_NUMBERS", 10)
    file = tmp_path / "log"
    file.write_text(text)
    assert sentence_of(logs_of, file) == (
        f"{file} holds more than 10 numbers, the most that unstuck reads")


def test_cells_of_percent_signs_and_long_names_are_read(tmp_path: Path) -> None:
    file = tmp_path / "log.csv"
    file.write_text(f"epoch,loss,{'x' * 50_000}\n0,50%,1\n1,40 %%,{'%' * 5000}\n")
    (found,) = logs_of(file)
    assert found.series(TRAIN_LOSS).values.tolist() == [50, 40]


# A record in a bounded process -------------------------------------------------------------------
BOMBS = """
import resource, sys
from pathlib import Path
from unstuck.judge.engine import diagnose
from unstuck.logs.read import records
from unstuck.reading import Unusable
from unstuck.record.reader import read_record
import unstuck.judge.catalogue
unstuck.judge.catalogue.causes()
most = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() + (600 << 20)
resource.setrlimit(resource.RLIMIT_AS, (most, most))
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
for path in sys.argv[1:]:
    try:
        found = [read_record(path)] if path.endswith(".jsonl") else list(records(Path(path)))
        print([str(x) for one in found for x in diagnose(one).remarks if "internal" in x])
    except Unusable as error:
        print(str(error)[-60:])
"""


def deep_model(count: int) -> str:
    """A record of a model of so many layers: no cause may compare each of them with each."""
    rng = np.random.default_rng(0)
    names = [f"l{i}" for i in range(count)]
    roles = ("linear", "activation", "normalisation")
    model = {
        "name": "m", "kind": "M", "location": None, "call_location": None,
        "layers": [{"name": n, "kind": "Tanh", "role": roles[i % 3], "location": None,
                    "parameters": [f"{n}.w"]} for i, n in enumerate(names)],
        "parameters": [{"name": f"{n}.w", "layer": n, "shape": [9, 9], "trainable": True}
                       for n in names]}
    rows = [[i, 2 + float(v)] for i, v in enumerate(rng.random(100))]
    events: list[dict[str, object]] = [
        {"type": "fact", "fact": "model", "data": model},
        {"type": "step", "signal": "train-loss", "rows": rows}]
    for signal in signals.ALL:
        if isinstance(signal, PlaceSignal) and signal.place in ("layer", "parameter"):
            places = names if signal.place == "layer" else [f"{n}.w" for n in names]
            events += [
                {"type": "sample", "signal": signal.name, "step": 10 * step,
                 "places": dict(zip(places, rng.random(count).round(3).tolist(), strict=True))}
                for step in range(6)]
    return HEADER + "".join(json.dumps(event) + "\n" for event in events)


def test_no_file_takes_much_memory_or_time(tmp_path: Path) -> None:
    """Far steps, long lines, many empty lists: in a process that has 600 MB and a minute."""
    bombs = []
    for at, kept in enumerate(RECORDS):
        # One row far ahead in every signal, in every track.
        events = [json.loads(line) for line in gzip.decompress(kept.read_bytes()).splitlines()]
        far = [dict(e, rows=[[250_000_000, 1.0]]) for e in events if e["type"] == "step"]
        far += [dict(e, step=999_999_999_999) for e in events if e["type"] == "sample"]
        bombs.append(tmp_path / f"{at}.jsonl")
        bombs[-1].write_text("".join(json.dumps(event) + "\n" for event in events + far))
    bombs.append(tmp_path / "deep.jsonl")
    bombs[-1].write_text(deep_model(3000))
    sparse = tmp_path / "sparse.jsonl"
    sparse.write_text(HEADER + ROWS)
    os.truncate(sparse, 900 << 20)
    document = tmp_path / "document.json"
    document.write_text("[" + "[]," * 10_000_000 + "[]]")
    wide = tmp_path / "wide.csv"
    wide.write_text("a," * 5000 + "loss\n" + "1," * 5000 + "0\n" + ("1," * 40_000 + "0\n") * 60)
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"k" * 1_000_000: {str(i): [1, 2] for i in range(900)}}))
    ran = subprocess.run(
        [sys.executable, "-c", BOMBS, *map(str, bombs), *map(str, (sparse, document, wide, keys))],
        capture_output=True, text=True, check=False, timeout=600)
    assert ran.returncode == 0, ran.stderr[-2000:]
    said = ran.stdout.splitlines()
    assert said[: len(bombs)] == ["[]"] * len(bombs)
    assert "is longer than 64 MiB" in said[len(bombs)]
    assert "JSON values" in said[len(bombs) + 1]
    assert len(said) == len(bombs) + 4


# Steps in order ----------------------------------------------------------------------------------
def test_steps_that_go_back_are_put_in_order(tmp_path: Path) -> None:
    found = read_record(write(
        tmp_path / "record",
        '{"type":"step","signal":"train-loss","rows":[[0,9],[1,8],[1,7],[2,6],[3,5]]}\n',
        '{"type":"step","signal":"train-loss","rows":[[2,4],[3,3],[4,2]]}\n',
        *(f'{{"type":"sample","signal":"weight-norm","step":{step},"places":{{"w":{step}}}}}\n'
          for step in (0, 4, 8, 4, 6))))
    losses = found.series(TRAIN_LOSS)
    assert list(zip(losses.steps.tolist(), losses.values.tolist(), strict=True)) == [
        (0, 9), (1, 8), (1, 7), (2, 4), (3, 3), (4, 2)]
    assert found.series(WEIGHT_NORM)["w"].steps.tolist() == [0, 4, 6]
    assert found.steps == 7


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.name)
def test_no_cause_fails_on_lines_in_another_order(path: Path, tmp_path: Path) -> None:
    head, *lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    for order in (lines[::-1], lines[1::2] + lines[::2], lines + lines):
        (tmp_path / EVENTS).write_bytes(head + b"".join(order))
        found = read_record(tmp_path)
        for signal in signals.ALL:
            if found.measured(signal):
                series = found.series(signal)
                for one in series.values() if isinstance(series, dict) else [series]:
                    assert np.all(np.diff(one.steps) >= 0)
        assert not [r for r in diagnose(found).remarks if "internal error" in r]


def test_the_way_of_a_matrix_is_summed_without_its_steps() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        at = np.unique(rng.integers(0, 300, rng.integers(1, 12)))
        ratios = rng.random((2, len(at)))
        ratios[0, rng.random(len(at)) < 0.3] = np.nan
        steps = int(at[-1]) + int(rng.integers(1, 50))
        every = [float(np.sum(np.interp(np.arange(steps), at[~np.isnan(r)], r[~np.isnan(r)])))
                 if not np.isnan(r).all() else 0.0 for r in ratios]
        np.testing.assert_allclose(travel(Updates(("a", "b"), at, ratios), steps), every)
    far = Updates(("a",), np.array([0, 10**12 - 1]), np.ones((1, 2)))
    np.testing.assert_allclose(travel(far, 10**12), [1e12])


# Any file ----------------------------------------------------------------------------------------
def test_mutations_of_records_and_logs() -> None:
    """Some of those of `python -m benchmarks.fuzz`."""
    every = os.environ.get("UNSTUCK_ALL") == "1"
    assert list(faults(range(150 if every else 8), seed=0)) == []


def test_an_event_file_with_an_endless_record_is_refused(tmp_path: Path) -> None:
    (kept,) = (DATA / "logs" / "tensorboard").rglob("*tfevents*")
    file = tmp_path / "events.out.tfevents.1"
    whole = kept.read_bytes()
    file.write_bytes(whole + (200 << 20).to_bytes(8, "little") + b"crc!")
    assert len(logs_of(file)) == 1  # it was torn there
    os.truncate(file, len(whole) + (201 << 20))
    assert "holds a record of 200 MiB; unstuck reads records of up to 64 MiB" in sentence_of(
        logs_of, file)
