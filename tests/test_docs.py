"""The documentation says what the program says: generated pages are not stale, links lead home."""

from __future__ import annotations

import os
import re
import sys
from enum import StrEnum
from pathlib import Path

import pytest

from tests import processes
from tools import pages
from unstuck.report.explanations import sections
from unstuck.rules.cause import Cause
from unstuck.schema.facts.run import EndKind
from unstuck.schema.findings import OutcomeKind

STALE = "`make pages` writes it anew"
CAUSES = pages.own_causes()


def test_nothing_generated_is_stale() -> None:
    made = pages.files()
    for file, text in made.items():
        assert file.exists(), f"{file.name}: {STALE}"
        assert file.read_text(encoding="utf-8") == text, f"{file.name}: {STALE}"
    assert not pages.leftovers(made), STALE


@pytest.mark.parametrize("cause", CAUSES, ids=lambda c: c.slug)
def test_a_page_holds_the_words_that_explain_prints(cause: Cause) -> None:
    written = pages.page_file(cause).read_text(encoding="utf-8")
    for heading, paragraphs in sections(cause):
        assert f"\n## {heading}\n" in written
        for paragraph in paragraphs:
            assert pages.markdown(paragraph) in written


@pytest.mark.parametrize(("file", "kinds"), [("reading", OutcomeKind), ("record", EndKind)])
def test_every_kind_is_listed(file: str, kinds: type[StrEnum]) -> None:
    text = (pages.DOCS / f"{file}.md").read_text(encoding="utf-8")
    kind = kinds.__name__.removesuffix("Kind").lower()
    table = text.partition(f"| {kind} |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `([\w-]+)` \|", table, re.MULTILINE) == list(kinds)


def test_links_lead_to_files() -> None:
    for file in pages.DOCS.rglob("*.md"):
        prose = re.sub(r"^```.*?^```", "", file.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
        for target in re.findall(r"\]\((?!https?:)([^)#\s]+)\)", prose):
            assert (file.parent / target).exists(), f"{file.name} links to {target}"


def test_the_site_builds(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="the extra `docs` is not installed")
    done = processes.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", tmp_path],
        cwd=pages.ROOT, capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": os.pathsep.join([".", "src"])},
    )
    assert done.returncode == 0, done.stderr
    for cause in CAUSES:
        assert (tmp_path / "causes" / cause.slug / "index.html").exists()
