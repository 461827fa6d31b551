"""Whatever names and messages hold, a terminal is sent text, line feeds and our own colours."""

from __future__ import annotations

import ast
import gzip
import json
import os
import re
import subprocess
import sys
import termios
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.fuzz import DATA
from tests.marks import slow
from unstuck.clean import LONGEST, clean, put, visible
from unstuck.record.reader import EVENTS
from unstuck.schema.places import SourceLocation

# Erases the screen, sets the title, recolours, turns the line around, hides, and forges lines.
CONTROL = ("\x1b[2J\x1b[31mred\x1b]0;title\x07\x9b2J\x7f\u202eleft\u2066\u200b\ufeff\u2028\x85"
           "[red]markup[/red]\t")
EVIL = CONTROL + "\r\nunstuck: all is well"
QUOTE_NOTHING = ("--version", "list", "--max-steps", "--overhead")
COLOURS = re.compile(r"\x1b\[[0-9;]*m")

MAIN = """
import json, sys
from unstuck.cli import main
for arguments in json.loads(sys.argv[1]):
    sys.argv = ["unstuck", *arguments]
    print("$", len(arguments), flush=True)
    try:
        main()
    except SystemExit as end:
        print("status", end.code, flush=True)
"""


def on_a_pipe(command: list[str], **options: Any) -> str:
    ran = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                         timeout=500, **options)
    return ran.stdout.decode()


def on_a_terminal(command: list[str], **options: Any) -> str:
    """What reaches a pseudo-terminal that changes nothing of it."""
    master, slave = os.openpty()
    modes = termios.tcgetattr(slave)
    modes[1] &= ~termios.OPOST
    termios.tcsetattr(slave, termios.TCSANOW, modes)
    parts: list[bytes] = []

    def read() -> None:
        while True:
            try:
                part = os.read(master, 1 << 16)
            except OSError:  # the last writer is gone
                return
            if not part:
                return
            parts.append(part)

    reader = threading.Thread(target=read)
    with subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, **options) as process:
        os.close(slave)
        reader.start()
        process.wait(timeout=500)
    reader.join()
    os.close(master)
    return b"".join(parts).decode()


def check(said: str, colours: bool) -> str:
    """The text of what was sent, once it is found harmless."""
    assert "\x1b[31mred" not in said
    text = COLOURS.sub("", said) if colours else said
    bad = {c for c in set(text) - {"\n"} if visible(c) != c}
    assert not bad, f"{bad} in {text!a}"
    assert not re.search("^unstuck: all is well", text, re.MULTILINE)
    return text


def evil_record(folder: Path, kept: str) -> Path:
    """A record in which everything that has a name has an evil one."""
    events = gzip.decompress((DATA / "records" / kept).read_bytes()).decode().splitlines()
    changed = []
    for line in events:
        event = json.loads(line)
        if event["type"] == "sample":
            event["places"] = {place + EVIL: value for place, value in event["places"].items()}
        elif event["type"] == "fact":
            event["data"] = spoilt(event["data"])
        changed.append(json.dumps(event))
    changed.append(json.dumps({"type": "odd", "what": "evil", "step": 1, "says": EVIL}))
    folder.mkdir(parents=True)
    (folder / EVENTS).write_text("\n".join(changed) + "\n")
    return folder


def spoilt(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {k: spoilt(v, k) for k, v in value.items()}
    if isinstance(value, list):
        return [spoilt(item, key) for item in value]
    if isinstance(value, str) and key in (
        "name", "layer", "parameters", "before", "first_layer", "file", "text", "message", "owner",
        "attribute", "optimizer", "argv", "platform",
    ):
        return value + EVIL
    return value


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> list[list[str]]:
    """Commands that are to say something of evil files, columns, options and names."""
    home = tmp_path_factory.mktemp("evil") / EVIL.replace("/", "|")
    home.mkdir()
    log, text = home / "log.csv", home / "out.txt"
    other = home / f"{CONTROL.replace('/', '|')}.json"
    rows = range(40)
    log.write_text(f'epoch,"loss {CONTROL}","acc {CONTROL}"\n'
                   + "".join(f"{i},{2 - i / 50},{i / 50}\n" for i in rows))
    other.write_text(json.dumps([{f"loss {EVIL}": i, f"val_loss {EVIL}": 3} for i in rows]))
    text.write_text("".join(f"{CONTROL} epoch {i} loss: {i}\n" for i in rows))
    rivals = home / "rivals.csv"
    rivals.write_text(f"d_loss {CONTROL},g_loss\n1,2\n3,4\n")
    schema = home / "schema"
    schema.mkdir()
    (schema / EVENTS).write_text(json.dumps(
        {"type": "header", "schema": EVIL, "record": "x", "version": "0"}) + "\n")
    untrained = home / "untrained"
    untrained.mkdir()
    (untrained / EVENTS).write_text("".join(json.dumps(event) + "\n" for event in (
        {"type": "header", "schema": 1, "record": EVIL, "version": EVIL},
        {"type": "odd", "what": "x", "says": EVIL, "step": 0},
        {"type": "fact", "fact": "end", "step": 0, "data": {
            "kind": "exception", "exception": f"Error{EVIL}", "message": EVIL, "location": {
                "file": EVIL, "line": 1, "column": 1, "end_line": 1, "end_column": 2,
                "text": EVIL}}},
    )))
    sick = [str(evil_record(home / kept, kept)) for kept in (
        "wine_raw_and_softmax_twice.jsonl.gz", "digits_autoencoder_detached_and_sigmoid.jsonl.gz",
        "diabetes_missing_values_and_plain_list.jsonl.gz")]
    program = home / "program.py"
    program.write_text("print('never started')")
    os.mkfifo(home / "pipe")
    return [
        ["--version"], ["list"], [EVIL], [f"--{EVIL}"], ["explain", EVIL],
        ["explain", f"dead{EVIL}"],
        ["run", EVIL], ["run", f"{EVIL}.py"], ["run", f"--{EVIL}", "x"], ["run", str(home)],
        ["run", f"--fail-on={EVIL}", "x"], ["run", f"--max-steps={EVIL}", "x"],
        ["run", f"--overhead={EVIL}", "x"], ["run", f"--json={home}", str(program)],
        ["run", f"--json={home}/no{EVIL}/x", str(program)], ["run", f"--out={log}", str(program)],
        ["run", "-m", EVIL], ["run", str(home / "progam.py")],
        ["diagnose", EVIL], ["diagnose", str(log)], ["diagnose", str(home / "pipe")],
        ["diagnose", str(schema)], ["diagnose", str(untrained)], ["diagnose", f"--{EVIL}"],
        *(["diagnose", "--notes", record] for record in sick),
        *(["diagnose", "--json=-", record] for record in [*sick, str(untrained)]),
        ["curves", EVIL], ["curves", str(home)], ["curves", str(home / "pipe")],
        ["curves", str(log)], ["curves", str(other)], ["curves", str(text)],
        ["curves", str(rivals)],
        ["curves", str(log), str(other)], ["curves", "--json=-", str(log), str(other)],
        ["curves", f"--train={EVIL}", str(log)], ["curves", f"--val={EVIL}", str(log)],
        ["curves", f"--json={home}", str(log)],
    ]


@pytest.mark.parametrize("send", [on_a_terminal, on_a_pipe])
def test_no_command_sends_controls_to_the_terminal(
    send: Callable[..., str], commands: list[list[str]], tmp_path: Path,
) -> None:
    environment = {**os.environ, "TERM": "xterm-256color", "XDG_STATE_HOME": str(tmp_path)}
    environment.pop("NO_COLOR", None)
    said = send([sys.executable, "-c", MAIN, json.dumps(commands)], env=environment)
    text = check(said, send is on_a_terminal)
    assert (send is on_a_terminal) == ("\x1b[" in said)
    assert text.count("status") == len(commands), text[-3000:]
    assert "Traceback" not in text
    assert "bug in unstuck" not in text
    parts = re.split(r"^\$ \d+$", text, flags=re.MULTILINE)[1:]
    for command, part in zip(commands, parts, strict=True):
        if not (any(word.startswith(QUOTE_NOTHING) for word in command[:2])
                or command[-1].endswith("out.txt")):
            assert re.search(r"\\x1b\[2J|\\u001b\[2J", part), (command, part)
    for part in (p for c, p in zip(commands, parts, strict=True) if "--json=-" in c):
        assert json.loads(part[: part.rindex("}") + 1])


def test_a_state_folder_with_an_evil_name_is_told_of_in_text(tmp_path: Path) -> None:
    home = tmp_path / EVIL.replace("/", "|")
    home.write_text("a file")
    (tmp_path / "program.py").write_text("print('never started')")
    environment = {**os.environ, "XDG_STATE_HOME": str(home)}
    commands = json.dumps([["run", str(tmp_path / "program.py")], ["diagnose"]])
    text = check(on_a_terminal([sys.executable, "-c", MAIN, commands], env=environment), True)
    assert text.count("\\x1b[2J") == 2
    assert "the record cannot be saved in" in text
    assert "there is no record in" in text


PROGRAM = """
import torch
from torch import nn

EVIL = {evil!r}
Layer = type("Linear" + EVIL, (nn.Linear,), {{}})
Net = type("Net" + EVIL, (nn.Sequential,), {{}})
net = Net()
for name in ("first", "second", "third"):
    net.add_module(name + EVIL.replace(".", ""), Layer(4, 4))
    net.add_module(name + "relu" + EVIL, type("ReLU" + EVIL, (nn.ReLU,), {{}})())
optimizer = type("SGD" + EVIL, (torch.optim.SGD,), {{}})(net.parameters(), lr=1e3)
for _ in range({steps}):
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(net(torch.randn(8, 4)), torch.randn(8, 4) * 1e4)
    loss.backward()
    optimizer.step()
raise type("Error" + EVIL, (Exception,), {{}})("message " + EVIL)
"""


@pytest.mark.parametrize("steps", [40, slow(0)])
def test_a_program_of_evil_names_is_reported_in_text(steps: int, tmp_path: Path) -> None:
    program = tmp_path / f"train{CONTROL.replace('/', '|')}.py"
    program.write_text(PROGRAM.format(evil=EVIL.replace("\x85", ""), steps=steps))
    said = on_a_terminal(
        [sys.executable, "-m", "unstuck", "run", "--notes", f"--out={tmp_path / EVIL[:40]}",
         str(program)],
        # From 3.13 on, Python colours a traceback itself.
        env={**os.environ, "TERM": "xterm", "PYTHON_COLORS": "0"}, cwd=tmp_path)
    # The program's own traceback is its own; what is ours comes after it.
    ours = said[said.rindex("message "):].partition("\n")[2].partition("all is well\n")[2]
    text = check(ours, True)
    assert "\\x1b[2J" in text
    assert ("error[" in text) == bool(steps)


# The cleaner -------------------------------------------------------------------------------------
@pytest.mark.parametrize(("text", "shown"), [
    ("plain é 中 🙂 ½ a\u00a0b", "plain é 中 🙂 ½ a\u00a0b"),
    ("a\nb\rc\td", "a\\nb\\rc\\td"),
    ("\x00\x1b\x7f\x85\x9b", "\\x00\\x1b\\x7f\\x85\\x9b"),
    ("\u202e\u2066\u200e\u200b\u2028\u2029\ufeff\U000e0041",
     "\\u202e\\u2066\\u200e\\u200b\\u2028\\u2029\\ufeff\\U000e0041"),
    ("caf\udce9 \ud800", "caf\\xe9 \\ud800"),
    ("👩\u200d👧 می\u200cخواهم a\u200db", "👩\u200d👧 می\u200cخواهم a\\u200db"),
    ("\ue000", "\\ue000"),
])
def test_what_controls_is_written_out_and_what_shows_stays(text: str, shown: str) -> None:
    assert clean(text) == shown
    assert clean(shown) == shown


def test_of_a_very_long_text_both_ends_are_shown() -> None:
    shown = clean("begin" + "\x1b" * 10**6 + "end")
    assert len(shown) < 5 * LONGEST
    assert shown.startswith("begin\\x1b")
    assert shown.endswith("end")


def test_a_stream_that_is_not_there_gets_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    put("words", None)
    assert capfd.readouterr() == ("", "")


def test_a_stream_of_another_encoding_gets_what_it_can_hold(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w", encoding="ascii") as file:
        put("naïve\x1b[0m\n中", file)
    assert (tmp_path / "file").read_text() == "na\\xefve\\x1b[0m\n\\u4e2d\n"


@pytest.mark.parametrize("tabs", ["\t", "a\tb\t", "\x1b\t"])
def test_the_caret_stands_under_what_follows_tabs_and_escapes(tabs: str) -> None:
    import io

    from unstuck.report.canvas import Canvas

    source = f"{tabs}model(x)"
    shown, offset, cells = Canvas.on(io.StringIO(), 80).crop(source, len(tabs), len(source), 60)
    assert shown[offset : offset + cells] == "model(x)"
    assert "\t" not in shown


def test_a_very_long_source_line_is_cut_quickly() -> None:
    import io

    from unstuck.report.canvas import Canvas

    source = "x" * 10**6 + "model(x)" + "y" * 10**6
    shown, offset, cells = Canvas.on(io.StringIO(), 80).crop(source, 10**6, 10**6 + 8, 60)
    assert shown[offset : offset + cells] == "model(x)"
    assert len(shown) <= 60
    assert SourceLocation("a", 1, 1, 1, 2, source).text == source


# No other way ------------------------------------------------------------------------------------
WRITERS = {
    "clean.py": {"print"},  # put
    "report/canvas.py": {"print"},  # draw, which cleans
    "report/schema.py": {"print"},  # python -m unstuck.report.schema
    "report/notebook.py": {"print"},  # into a page, what a canvas has drawn
    "arguments.py": {"echo"},  # JSON, whose text is clean by itself
    "observe/samples/ending.py": {"print"},  # words of our own
    "observe/program.py": {"write"},  # cleans by itself, for it may import nothing
}


def test_all_that_is_printed_goes_through_the_cleaner() -> None:
    """A new way to print is to be put through `clean.put` or `Canvas.draw`."""
    package = Path(__file__).parent.parent / "src" / "unstuck"
    for path in package.rglob("*.py"):
        allowed = WRITERS.get(path.relative_to(package).as_posix(), set())
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            function = node.func
            name = function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
            streams = "std" in ast.unparse(function)
            writes = name in ("print", "echo", "secho") or (name.startswith("write") and streams)
            assert not writes or name in allowed, f"{path}:{node.lineno} prints by itself"
