"""What is written is read again; what was never a record is refused in one sentence."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import types
import typing
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unstuck.record.plain import to_json
from unstuck.record.reader import (
    EVENTS,
    SCHEMA,
    NotMeasured,
    Record,
    RecordWriter,
    UnusableRecord,
    from_json,
    read_record,
)
from unstuck.record.schedule import LIMITS
from unstuck.schema import signals
from unstuck.schema.facts import kinds
from unstuck.schema.facts.fact import Fact
from unstuck.schema.facts.losses import Backward, Loss
from unstuck.schema.facts.optimizers import Optimizer
from unstuck.schema.facts.run import End, EndKind, NonFinite, NonFiniteStage, Program
from unstuck.schema.places import SourceLocation
from unstuck.schema.quantities import PlaceSignal, StepSignal
from unstuck.schema.signals.losses import TRAIN_LOSS
from unstuck.schema.signals.parameters import WEIGHT_NORM

# Deterministic: a change of the code, not a lucky draw, makes these tests fail.
ALL = os.environ.get("UNSTUCK_ALL") == "1"
QUICK = settings(
    max_examples=60, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
HEADER = json.dumps({"type": "header", "schema": SCHEMA, "version": "0", "record": "abc"})


def strategy(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a type hint as facts use them."""
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return st.one_of(*(st.none() if a is type(None) else strategy(a) for a in arguments))
    if typing.get_origin(hint) is tuple:
        return st.lists(strategy(arguments[0]), max_size=3).map(tuple)
    if dataclasses.is_dataclass(hint):
        hints = typing.get_type_hints(hint)
        return st.builds(hint, **{f.name: strategy(hints[f.name])
                                  for f in dataclasses.fields(hint)})
    if isinstance(hint, type) and issubclass(hint, Enum):
        return st.sampled_from(list(hint))
    return {
        str: st.text(max_size=12), bool: st.booleans(), float: st.floats(),
        int: st.integers(-(2**63), 2**63 - 1),
    }[hint]


def write(folder: Path, *lines: str | bytes) -> Path:
    """A record of these lines, the last one as it is."""
    folder.mkdir(exist_ok=True)
    data = b"\n".join(x.encode("utf-8", "surrogatepass") if isinstance(x, str) else x
                      for x in lines)
    (folder / EVENTS).write_bytes(data)
    return folder


def read_or_refuse(folder: Path) -> Record | None:
    """Reads; whatever cannot be read is to be refused with one sentence."""
    try:
        record = read_record(folder)
    except UnusableRecord as error:
        assert str(error)  # noqa: PT017
        assert "\n" not in str(error)  # noqa: PT017
        return None
    for signal in signals.ALL:
        if record.measured(signal):
            series = record.series(signal)
            for one in series.values() if isinstance(signal, PlaceSignal) else [series]:
                assert len(one.steps) == len(one.values) >= 1
        else:
            with pytest.raises(NotMeasured):
                record.series(signal)
    return record


FACTS = tuple(kinds().values())


# Round trips -------------------------------------------------------------------------------------
def test_a_fact_needs_no_entry_in_any_list() -> None:
    assert len(FACTS) >= 24
    assert all(issubclass(kind, Fact) and dataclasses.is_dataclass(kind) for kind in FACTS)


@pytest.mark.parametrize("kind", FACTS, ids=lambda kind: kind.__name__)
def test_every_fact_is_read_as_it_was_written(kind: type, tmp_path: Path) -> None:
    count = 0

    @settings(QUICK, max_examples=60 if ALL else 20)
    @given(strategy(kind), st.integers(0, 10**12))
    def check(fact: Any, step: int) -> None:
        nonlocal count
        count += 1
        folder = tmp_path / str(count)
        writer = RecordWriter(folder, "1.2.3")
        writer.fact(fact, step)
        writer.close()
        record = read_record(folder)
        assert repr(record.facts(kind)) == repr((fact,))  # NaN too
        assert repr(record.fact(kind)) == repr(fact)
        assert not record.torn
        assert record.version == "1.2.3"

    check()


@QUICK
@given(st.one_of(*(strategy(kind) for kind in FACTS)))
def test_json_of_a_fact_is_standard_json(fact: Any) -> None:
    text = json.dumps(to_json(fact), allow_nan=False)
    assert repr(from_json(type(fact), json.loads(text))) == repr(fact)


VALUES = st.floats() | st.sampled_from([math.nan, math.inf, -math.inf, -0.0, 5e-324])


def test_series_are_read_as_they_were_written(tmp_path: Path) -> None:
    count = 0

    @QUICK
    @given(st.lists(VALUES, min_size=1, max_size=6), st.dictionaries(
        st.text(max_size=6), VALUES, min_size=1, max_size=4))
    def check(values: list[float], places: dict[str, float]) -> None:
        nonlocal count
        count += 1
        folder = tmp_path / str(count)
        writer = RecordWriter(folder, "0")
        for step, value in enumerate(values):
            for signal in signals.ALL:
                if isinstance(signal, StepSignal):
                    writer.row(signal, step, value)
                elif isinstance(signal, PlaceSignal):
                    writer.sample(signal, step, places)
        writer.close()
        record = read_record(folder)
        assert record.steps == len(values)
        for signal in signals.ALL:
            if isinstance(signal, StepSignal):
                series = record.series(signal)
                assert series.steps.tolist() == list(range(len(values)))
                assert series.steps.dtype == np.int64
                np.testing.assert_array_equal(series.values, np.array(values))
                assert np.isfinite(series.finite.values).all()
            else:
                found = record.series(signal)
                assert list(found) == list(places)
                for place, value in places.items():
                    np.testing.assert_array_equal(found[place].values, [value] * len(values))

    check()


def test_a_file_name_that_is_no_unicode_does_not_stop_the_writer(tmp_path: Path) -> None:
    location = SourceLocation("caf\udce9.py", 1, 1, 1, 2, "print('\udce9')")
    writer = RecordWriter(tmp_path, "0")
    writer.fact(Program(("caf\udce9.py",), "3", "2", "linux", ()), 0)
    writer.fact(Backward(location), 0)
    writer.close()
    record = read_record(tmp_path)
    assert record.fact(Program) is not None
    assert record.fact(Program).argv[0].startswith("caf")
    assert len(record.facts(Backward)) == 1


def test_line_separators_in_text_do_not_tear_the_record(tmp_path: Path) -> None:
    text = "a\u2028b\u2029c\x85d\ne\rf\x00g"
    writer = RecordWriter(tmp_path, "0")
    writer.fact(Backward(SourceLocation(text, 1, 1, 1, 2, text)), 0)
    writer.odd("odd", 3, text)
    writer.close()
    record = read_record(tmp_path)
    assert not record.torn
    assert record.facts(Backward)[0].location is not None
    assert record.facts(Backward)[0].location.text == text
    assert [(o.what, o.step, o.says) for o in record.oddities] == [("odd", 3, text)]


# What the writer and the reader promise ----------------------------------------------------------
def loss_fact(name: str, function: str = "mse_loss") -> Loss:
    return Loss(name, function, False, None, (4,), (4,), "float32", "mean")


def test_a_later_fact_replaces_one_of_the_same_name(tmp_path: Path) -> None:
    writer = RecordWriter(tmp_path, "0")
    writer.fact(loss_fact("a"), 0)
    writer.fact(loss_fact("b"), 0)
    writer.fact(loss_fact("a", "l1_loss"), 7)
    writer.close()
    assert [(x.name, x.function) for x in read_record(tmp_path).facts(Loss)] == [
        ("a", "l1_loss"), ("b", "mse_loss")]


def test_the_first_non_finite_number_is_kept_and_the_last_end(tmp_path: Path) -> None:
    writer = RecordWriter(tmp_path, "0")
    for step in (3, 5):
        stage = NonFiniteStage.INPUT
        writer.fact(NonFinite(step, stage, None, None, None, ""), step)
        writer.end(End(EndKind.EXIT, status=step), step)
    writer.close()
    record = read_record(tmp_path)
    assert record.fact(NonFinite) is not None
    assert record.fact(NonFinite).step == 3
    assert record.end.status == 5


def test_a_record_without_an_end_was_killed(tmp_path: Path) -> None:
    writer = RecordWriter(tmp_path, "0")
    writer.close()
    assert read_record(tmp_path).end.kind is EndKind.KILLED


def test_a_folder_with_a_record_is_not_written_over(tmp_path: Path) -> None:
    RecordWriter(tmp_path, "0").close()
    before = (tmp_path / EVENTS).read_bytes()
    with pytest.raises(FileExistsError):
        RecordWriter(tmp_path, "0")
    assert (tmp_path / EVENTS).read_bytes() == before


def test_after_close_and_abandon_nothing_is_written(tmp_path: Path) -> None:
    for name, leave in (("a", RecordWriter.close), ("b", RecordWriter.abandon)):
        writer = RecordWriter(tmp_path / name, "0")
        writer.row(TRAIN_LOSS, 0, 1.0)
        leave(writer)  # an abandoned file must not warn that it was left open either
        before = (tmp_path / name / EVENTS).read_bytes()
        assert (b"train-loss" in before) == (leave is RecordWriter.close)
        writer.fact(loss_fact("late"), 0)
        writer.row(TRAIN_LOSS, 0, 1.0)
        writer.odd("late", 0, "late")
        writer.tick()
        writer.end(End(EndKind.FINISHED), 0)
        writer.close()
        assert (tmp_path / name / EVENTS).read_bytes() == before


def test_odd_and_end_are_on_disk_at_once(tmp_path: Path) -> None:
    writer = RecordWriter(tmp_path, "0")
    writer.row(TRAIN_LOSS, 0, 2.0)
    writer.odd("limited", 1, "something")
    record = read_record(tmp_path)
    assert record.oddities[0].says == "something"
    assert record.series(TRAIN_LOSS).values.tolist() == [2.0]
    writer.end(End(EndKind.FINISHED), 1)
    assert read_record(tmp_path).end.kind is EndKind.FINISHED
    writer.close()


def test_unknown_types_signals_and_fields_are_passed_over(tmp_path: Path) -> None:
    folder = write(
        tmp_path, HEADER,
        '{"type":"telepathy","x":1}',
        '{"type":"fact","fact":"oracle","data":{}}',
        '{"type":"step","signal":"aura","rows":[[0,1]]}',
        '{"type":"sample","signal":"aura","step":0,"places":{"a":1}}',
        '{"type":"fact","fact":"backward","step":0,"data":{"location":null,"colour":"red"}}',
        "",
    )
    record = read_record(folder)
    assert record.facts(Backward) == (Backward(None),)
    assert not record.torn


def test_the_main_track_is_the_one_trained_to_the_end_most_often(tmp_path: Path) -> None:
    writer = RecordWriter(tmp_path, "0")
    for step in range(100):
        if step < 80:
            writer.row(TRAIN_LOSS, step, 1.0, "pretraining")
        else:
            writer.row(TRAIN_LOSS, step, 2.0, "fine-tuning")
        if step % 10 == 9:
            writer.row(TRAIN_LOSS, step, 3.0, "now and then")
    writer.close()
    record = read_record(tmp_path)
    assert set(record.tracks) == {"pretraining", "fine-tuning", "now and then"}
    assert set(record.series(TRAIN_LOSS).values.tolist()) == {2.0}
    assert record.steps == 100


@pytest.mark.parametrize(("kind", "steps"), [
    (EndKind.FINISHED, 3), (EndKind.STOPPED, 3), (EndKind.EXCEPTION, 4)])
def test_what_follows_the_last_step_is_no_step(kind: EndKind, steps: int, tmp_path: Path) -> None:
    """A last backward pass, of a program that looks at its gradients once more. One that raised an
    exception may have been in the middle of a step."""
    writer = RecordWriter(tmp_path, "0")
    writer.fact(Optimizer("SGD", "SGD", None, 0.1, None, None, ()), 0)
    for step in range(4):
        writer.row(TRAIN_LOSS, step, 1.0)
    writer.end(End(kind), 3)
    writer.close()
    assert read_record(tmp_path).steps == steps


# Broken records ----------------------------------------------------------------------------------
GOOD = [
    '{"type":"step","signal":"train-loss","track":"a","rows":[[0,1.5],[1,"nan"],[2,"-inf"]]}',
    '{"type":"sample","signal":"weight-norm","step":1,"places":{"w":1.0,"b":"inf"}}',
    '{"type":"odd","what":"limited","step":2,"says":"é"}',
    '{"type":"fact","fact":"end","step":2,"data":{"kind":"finished","status":0}}',
]


def test_a_torn_last_line_is_dropped_at_every_byte(tmp_path: Path) -> None:
    whole = "\n".join([HEADER, *GOOD, ""]).encode()
    start = len(HEADER) + 1
    for end in range(start, len(whole)):
        write(tmp_path, whole[:end])
        record = read_record(tmp_path)
        # Cut just before its line feed, a line is still whole.
        assert record.torn == (whole[end - 1:end] != b"\n" and whole[end:end + 1] != b"\n")
    write(tmp_path, whole)
    assert not read_record(tmp_path).torn


@pytest.mark.parametrize("content", [
    b"", b"\n", b"\x00" * 100, b"\xff\xfe\x00\x01", b"\x89PNG\r\n\x1a\n", b"null", b"[]", b"{}",
    b"[" * 100_000, b'{"a":' * 100_000, b"9" * 10_000, b'{"type":"header"}',
    b'{"type":"header","schema":1}', b'{"type":"header","schema":1,"record":7}',
    b'{"type":"header","schema":999,"record":"x"}', b'{"type":"header","schema":"1","record":"x"}',
    b'{"type":"header","schema":null,"record":"x"}',
    b'{"type":["header"],"schema":1,"record":"x"}',
    HEADER[:20].encode(), b'\xef\xbb\xbf"x"',
], ids=lambda content: repr(content[:24]))
def test_what_is_no_record_is_refused(content: bytes, tmp_path: Path) -> None:
    write(tmp_path, content)
    with pytest.raises(UnusableRecord) as caught:
        read_record(tmp_path)
    assert "\n" not in str(caught.value)
    with pytest.raises(UnusableRecord):
        read_record(tmp_path / EVENTS)


def test_paths_that_hold_no_record_are_refused(tmp_path: Path) -> None:
    (tmp_path / "folder" / EVENTS).mkdir(parents=True)
    (tmp_path / "file").write_text("not a record")
    for path in ("", "missing", "folder", "file", "file/inside"):
        with pytest.raises(UnusableRecord):
            read_record(tmp_path / path)
        with pytest.raises(UnusableRecord):
            read_record(str(tmp_path / path))


WRONG_EVENTS = {
    "no rows": '{"type":"step","signal":"train-loss","rows":[]}',
    "rows are no pairs": '{"type":"step","signal":"train-loss","rows":[[1,2,3]]}',
    "rows is null": '{"type":"step","signal":"train-loss","rows":null}',
    "rows missing": '{"type":"step","signal":"train-loss"}',
    "infinite step": '{"type":"step","signal":"train-loss","rows":[[Infinity,1]]}',
    "huge value": '{"type":"step","signal":"train-loss","rows":[[1,1' + "0" * 400 + "]]}",
    "value is no number": '{"type":"step","signal":"train-loss","rows":[[1,"x"]]}',
    "signal is a list": '{"type":"step","signal":["train-loss"],"rows":[[1,1]]}',
    "a step signal as sample": '{"type":"sample","signal":"train-loss","step":1,"places":{"a":1}}',
    "a place signal as step": '{"type":"step","signal":"weight-norm","rows":[[1,1]]}',
    "no places": '{"type":"sample","signal":"weight-norm","step":1,"places":{}}',
    "place without number": '{"type":"sample","signal":"weight-norm","step":1,"places":{"q":"x"}}',
    "place is null": '{"type":"sample","signal":"weight-norm","step":1,"places":{"q":null}}',
    "places is a list": '{"type":"sample","signal":"weight-norm","step":1,"places":[1]}',
    "a step that is true": '{"type":"step","signal":"train-loss","rows":[[true,1]]}',
    "a step that is a text": '{"type":"step","signal":"train-loss","rows":[["7",1]]}',
    "a step between two": '{"type":"step","signal":"train-loss","rows":[[0.5,1]]}',
    "a step before the first": '{"type":"step","signal":"train-loss","rows":[[-1,1]]}',
    "a value that is true": '{"type":"step","signal":"train-loss","rows":[[1,true]]}',
    "an integer of 5,000 digits": '{"type":"step","signal":"train-loss","rows":[[1,' + "9" * 5000
                                  + "]]}",
    "a fact with a huge integer": '{"type":"fact","fact":"backward","data":{"location":{"file":"a",'
                                  '"line":1' + "0" * 40 + ',"column":1,"end_line":1,'
                                  '"end_column":2}}}',
    "a fact with a text for a list": '{"type":"fact","fact":"cut","data":{"name":"a","location":'
                                     'null,"before":"abc"}}',
    "infinite sample step": '{"type":"sample","signal":"weight-norm","step":Infinity,'
                            '"places":{"q":1}}',
    "fact is a list": '{"type":"fact","fact":["end"],"data":{}}',
    "fact without data": '{"type":"fact","fact":"end"}',
    "fact with a list": '{"type":"fact","fact":"end","data":[]}',
    "unknown end": '{"type":"fact","fact":"end","data":{"kind":"evaporated"}}',
    "huge float": '{"type":"fact","fact":"clipping","data":{"function":"f","location":null,'
                  '"limit":1' + "0" * 400 + "}}",
    "float is null": '{"type":"fact","fact":"clipping","data":{"function":"f","location":null,'
                     '"limit":null}}',
    "name is a list": '{"type":"fact","fact":"loader","data":{"name":[],"location":null,'
                      '"batch_size":1,"sampler":"","samples":1,"workers":0}}',
    "location is a string": '{"type":"fact","fact":"backward","data":{"location":"x"}}',
    "location is empty": '{"type":"fact","fact":"backward","data":{"location":{}}}',
    "odd without step": '{"type":"odd","what":"limited","says":"x"}',
    "odd with an infinite step": '{"type":"odd","what":"x","says":"x","step":Infinity}',
    "odd with a nan step": '{"type":"odd","what":"x","says":"x","step":NaN}',
    "no type": "{}",
    "type is a list": '{"type":[]}',
    "a second header": HEADER,
    "binary": "\x00\x01\x02",
    "a number": "17",
    "a string": '"fact"',
}


@pytest.mark.parametrize("event", WRONG_EVENTS.values(), ids=WRONG_EVENTS.keys())
def test_a_wrong_event_costs_no_more_than_itself(event: str, tmp_path: Path) -> None:
    record = read_or_refuse(write(tmp_path, HEADER, event, *GOOD, ""))
    assert record is not None
    assert record.series(TRAIN_LOSS).steps.tolist()[-3:] == [0, 1, 2]
    assert {"w", "b"} <= set(record.series(WEIGHT_NORM))
    assert record.oddities[-1].says == "é"
    assert record.end.kind is EndKind.FINISHED


@QUICK
@given(st.lists(st.binary(max_size=60), max_size=5), st.booleans())
def test_bytes_never_break_the_reader(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], header: bool
) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    read_or_refuse(write(folder, *([HEADER] if header else []), *lines))


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["nan", "inf", "train-loss", "weight-norm", "fact", "end", 10**400]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.text(max_size=5) | st.sampled_from(["type", "rows", "places", "step"]), inner,
        max_size=3),
    max_leaves=8,
)
EVENT = st.fixed_dictionaries({}, optional={
    "type": st.sampled_from(["fact", "step", "sample", "odd", "header"]) | ANY_JSON,
    "fact": st.sampled_from(sorted(kinds())) | ANY_JSON,
    "signal": st.sampled_from(sorted(signals.BY_NAME)) | ANY_JSON,
    "step": st.integers() | ANY_JSON, "track": st.text(max_size=3) | ANY_JSON,
    "rows": st.lists(st.tuples(st.integers(), st.floats()), max_size=3) | ANY_JSON,
    "places": st.dictionaries(st.text(max_size=3), ANY_JSON, max_size=3) | ANY_JSON,
    "data": st.fixed_dictionaries({}, optional={
        "name": ANY_JSON, "location": ANY_JSON, "kind": ANY_JSON, "step": ANY_JSON,
        "layers": ANY_JSON, "parameters": ANY_JSON, "limit": ANY_JSON}) | ANY_JSON,
    "what": ANY_JSON, "says": ANY_JSON,
})


@settings(QUICK, max_examples=250)
@given(st.lists(EVENT, max_size=4))
def test_events_never_break_the_reader(
    tmp_path_factory: pytest.TempPathFactory, events: list[Any]
) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    read_or_refuse(write(folder, HEADER, *(json.dumps(event) for event in events), ""))


@settings(QUICK, max_examples=150)
@given(st.data())
def test_a_fact_with_one_wrong_value_never_breaks_the_reader(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    kind = data.draw(st.sampled_from(sorted(
        name for name, kind in kinds().items() if dataclasses.fields(kind))))
    plain = to_json(data.draw(strategy(kinds()[kind])))
    plain[data.draw(st.sampled_from(sorted(plain)))] = data.draw(ANY_JSON)
    event = json.dumps({"type": "fact", "fact": kind, "step": 0, "data": plain})
    folder = tmp_path_factory.mktemp("fuzz")
    assert read_or_refuse(write(folder, HEADER, event, "")) is not None


def test_numbers_that_are_not_finite_are_read(tmp_path: Path) -> None:
    record = read_record(write(
        tmp_path, HEADER, '{"type":"step","signal":"train-loss","rows":'
        '[[0,"nan"],[1,"inf"],[2,"-inf"],[3,NaN],[4,Infinity],[5,1]]}', ""))
    series = record.series(TRAIN_LOSS)
    np.testing.assert_array_equal(
        series.values, [math.nan, math.inf, -math.inf, math.nan, math.inf, 1])
    assert series.finite.steps.tolist() == [5]


@pytest.mark.skipif(os.name == "nt", reason="descriptors are not numbered anew there")
def test_a_program_that_closes_every_descriptor_keeps_its_files_and_its_record(
    tmp_path: Path
) -> None:
    writer = RecordWriter(tmp_path / "record", "test")
    assert writer._file is not None
    number = writer._file._descriptor
    os.close(number)
    users = tmp_path / "users"
    users.write_text("mine")
    taken = os.open(users, os.O_RDWR)
    os.dup2(taken, number)
    try:
        writer.row(TRAIN_LOSS, 0, 0.5)
        writer.close()
        assert os.fstat(number).st_ino == users.stat().st_ino  # still open
    finally:
        os.close(taken)
        os.close(number)
    assert users.read_text() == "mine"
    assert read_record(tmp_path / "record").series(TRAIN_LOSS).values.tolist() == [0.5]


def test_a_record_that_was_replaced_is_not_written_to(tmp_path: Path) -> None:
    writer = RecordWriter(tmp_path, "test")
    assert writer._file is not None
    os.close(writer._file._descriptor)
    (tmp_path / EVENTS).unlink()
    (tmp_path / EVENTS).write_text("mine")
    writer.row(TRAIN_LOSS, 0, 0.5)
    with pytest.raises(OSError, match="replaced"):
        writer.flush()
    writer.abandon()
    assert (tmp_path / EVENTS).read_text() == "mine"


def test_limits_of_the_watching_are_in_the_header(tmp_path: Path) -> None:
    RecordWriter(tmp_path / "now", "1").close()
    assert read_record(tmp_path / "now").limits == LIMITS
    file = tmp_path / "now" / "events.jsonl"
    header = json.loads(file.read_text())
    for name, limits in (
        ("older", None), ("damaged", {"full_steps": "x", "spacing": float("1e400"), "more": 1}),
        ("other", {"spacing": 2.0, "kept_samples": 10}),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "events.jsonl").write_text(json.dumps(
            {**header, "limits": limits}).replace("Infinity", "1e400") + "\n")
    assert read_record(tmp_path / "older").limits == LIMITS
    assert read_record(tmp_path / "damaged").limits == LIMITS
    other = read_record(tmp_path / "other").limits
    assert (other.spacing, other.kept_samples, other.full_steps) == (2.0, 10, LIMITS.full_steps)
    assert list(other.scheduled(30)) == [0, 1, 2, 3, 4, 5, 10, 20]
