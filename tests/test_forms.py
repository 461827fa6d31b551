"""A program gets the same diagnosis in another form."""

from __future__ import annotations

import ast
import os
from functools import cache

import pytest

import corpus
from corpus import Program
from corpus.forms import FORMS, rewritten
from corpus.forms.form import Form
from harness.forms import compare, prepare
from tests.marks import slow

LEAST = 20 if os.environ.get("UNSTUCK_ALL") else 8  # files to which a form must apply
# Quick programs, each in forms that touch what shows its fault.
SAMPLE = (
    ("inputs-not-normalised/pair-sick", "loss-as-term"),
    ("inputs-not-normalised/pair-sick", "optimizer-maximizes"),
    ("inputs-not-normalised/pair-sick", "losses-by-hand"),
    ("inputs-not-normalised/pair-sick", "gradients-by-function"),
    ("inputs-not-normalised/pair-well", "optimizer-maximizes"),
    ("inputs-not-normalised/pair-well", "activation-modules-by-hand"),
    ("inputs-not-normalised/pair-well", "linear-by-function"),
    ("loss-sign/pair-sick", "loss-as-term"),
)
MORE = (
    ("learning-rate-too-high/pair-sick", "losses-by-hand"),
    ("learning-rate-too-high/pair-sick", "loss-as-term"),
    ("learning-rate-too-high/pair-sick", "step-of-closure"),
    ("dead-relu/pair-sick", "losses-by-hand"),
    ("dead-relu/pair-sick", "loss-as-term"),
    ("saturated-activations/pair-sick", "losses-by-hand"),
)


@cache
def program_of(name: str) -> Program:
    return next(each for each in corpus.programs(long=True) if str(each) == name)


@pytest.mark.parametrize(
    ("name", "form"), [*SAMPLE, *(slow(*each) for each in MORE)], ids=lambda each: str(each))
def test_the_diagnosis_does_not_depend_on_the_form(name: str, form: str) -> None:
    case = prepare(program_of(name), next(f for f in FORMS if f.name() == form))
    assert case is not None
    found = compare(case)
    assert found.fits, found.differences
    assert not found.differences


def test_forms_have_names_of_their_own() -> None:
    assert len({form.name() for form in FORMS}) == len(FORMS) >= 25
    assert all(form.__doc__ for form in FORMS)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name())
def test_a_form_applies_to_many_programs_and_gives_programs(form: type[Form]) -> None:
    count = 0
    for file in (*corpus.FAULTY, *corpus.COMBINED, *corpus.HEALTHY):
        text = file.read_text(encoding="utf-8")
        made = rewritten(text, form)
        if made is not None:
            assert made.text != ast.unparse(ast.parse(text))
            compile(made.text, file.name, "exec")
            count += 1
        if count == LEAST:
            return
    pytest.fail(f"{form.name()} applies to {count} programs only")


def test_a_place_is_followed() -> None:
    text = ("import torch\nfrom torch import nn\n\n"
            "model = nn.Sequential(nn.Linear(2, 1), nn.ReLU())\n")
    form = next(f for f in FORMS if f.name() == "activation-modules-by-hand")
    span = (4, 39, 4, 48)
    made = rewritten(text, form, [span])
    assert made is not None
    ((first, last),) = made.places[span]
    assert "Clamp()" in made.text.splitlines()[first - 1]
    assert first == last
