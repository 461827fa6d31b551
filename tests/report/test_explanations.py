"""What `unstuck explain` says of causes, of symptoms and of any word."""

from __future__ import annotations

import pytest

from unstuck import cli
from unstuck.judge import catalogue
from unstuck.report.explanations import causes_of, example, explain
from unstuck.rules.symptoms import Symptom, classes_of, signs_of
from unstuck.schema.edits import ReplaceLayer


def listed(text: str) -> list[str]:
    """The causes that a text lists, in its order."""
    known = {cause.slug for cause in catalogue.causes()}
    return [words[0] for line in text.splitlines()
            if line.startswith("    ") and (words := line.split()) and words[0] in known]


@pytest.mark.parametrize("symptom", Symptom, ids=lambda symptom: symptom.slug)
def test_a_symptom_lists_its_causes_by_frequency_and_the_command_that_decides(
    symptom: Symptom,
) -> None:
    text = explain(symptom.slug)
    assert text.startswith(f"{symptom.slug}: ")
    causes = causes_of(symptom)
    assert listed(text)[:len(causes)] == [cause.slug for cause in causes]
    assert [c.often for c in causes] == sorted((c.often for c in causes), reverse=True)
    assert causes or symptom is Symptom.ANOTHER
    program, command, *_ = symptom.value.command.split()
    assert program == "unstuck"
    assert command in cli.app.commands
    assert f"    {symptom.value.command}\n" in text
    assert all(len(line) <= 80 for line in text.splitlines())
    for word in symptom.value.words:
        assert symptom in signs_of(word)


@pytest.mark.parametrize(("query", "said"), [
    ("nan", "loss-nan: "), ("NaN", "loss-nan: "), ("flat", "loss-flat: "),
    ("my loss is nan", "loss-nan: "), ("same output for every input", "same-output: "),
    ("worse in eval mode", "worse-in-eval-mode: "), ("0.693", "0.693 is the logarithm of 2 "),
    ("3.912", "3.912 is the logarithm of 50 classes."),
    ("falls then rises", "loss-falls-then-rises: "), ("oscillates", "loss-oscillates: "),
    ("stuck at ln C", "loss-at-chance: "), ("stuck at 0.693", "loss-at-chance: "),
    ("stuck at the margin", "loss-at-margin: "),
    ("good training and bad validation", "good-training-bad-validation: "),
    ("worse after eval()", "worse-in-eval-mode: "),
    ("fine in a notebook and not in a script", "differs-between-runs: "),
    ("worse than yesterday", "differs-between-runs: "),
    ("too good to be true", "too-good-to-be-true: "),
    ("vae", "loss-terms-out-of-balance "), ("multitask", "loss-terms-out-of-balance "),
])
def test_what_users_say_names_a_symptom(query: str, said: str) -> None:
    assert explain(query).startswith(said)


def test_the_logarithm_of_a_number_of_classes_is_recognised() -> None:
    assert [classes_of(text) for text in ("0.693", "1.0986", "2.303", "4.605", "6.9078")] == [
        2, 3, 10, 100, 1000]
    assert [classes_of(text) for text in ("0.5", "0.8", "inf", "nan", "-1", "50", "ten")] == [
        None] * 7


def test_any_word_finds_the_causes_that_mention_it() -> None:
    assert listed(explain("lr"))[:2] == ["learning-rate-too-high", "learning-rate-too-low"]
    assert explain("dropouts in validation")  # a phrase within a question
    assert explain("relu").startswith("dead-relu (G001)"), "the only one is explained at once"
    with pytest.raises(KeyError):
        explain("zzz")


def test_a_cause_is_explained_with_its_fixes_and_an_example() -> None:
    text = explain("g001")
    assert "\nFixes\n" in text
    assert ReplaceLayer("ReLU", "LeakyReLU(0.01)").code() in text
    assert "$ unstuck run pair.py\n" in text
    assert "\nWhat the fix changes in it\n" in text
    assert example(catalogue.find("dead-relu")) in text
