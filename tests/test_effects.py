"""Tests the relation between root causes and symptoms: it is whole, without circles, and of effects
alone."""

from __future__ import annotations

import ast
import inspect
from graphlib import TopologicalSorter

import pytest

from unstuck.judge.catalogue import causes
from unstuck.rules.cause import Cause
from unstuck.rules.effects import Effect, comes_before, following

CAUSES = causes()
SLUGS = {name for cause in CAUSES for name in (cause.slug, *cause.formerly)}


def test_every_effect_is_shown_by_a_cause_and_had_by_another() -> None:
    assert {cause.shows for cause in CAUSES if cause.shows} == set(Effect)
    assert {effect for cause in CAUSES for effect in following(cause.effects)} == set(Effect)


@pytest.mark.parametrize("effect", Effect)
def test_what_follows_from_an_effect_comes_after_it(effect: Effect) -> None:
    first, *rest = following((effect,))
    assert first is effect
    assert all(comes_before(effect, later) for later in rest)


def test_no_chain_of_explanations_is_a_circle() -> None:
    explained = {
        other.slug: {cause.slug for cause in CAUSES if cause.can_explain(other)}
        for other in CAUSES
    }
    assert len(tuple(TopologicalSorter(explained).static_order())) == len(CAUSES)


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.slug)
def test_a_cause_lists_its_effects_in_order_and_none_that_follows_from_another(
    cause: Cause,
) -> None:
    assert list(cause.effects) == [effect for effect in Effect if effect in cause.effects]
    for effect in cause.effects:
        assert effect not in following([e for e in cause.effects if e is not effect])


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.slug)
def test_a_cause_names_others_only_where_they_predict_the_same_record(cause: Cause) -> None:
    tree = ast.parse(inspect.getsource(inspect.getmodule(cause.detect)))  # type: ignore[arg-type]
    (made,) = [node.value for node in tree.body
               if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "CAUSE"]
    assert isinstance(made, ast.Call)
    for keyword in made.keywords:
        named = {node.value for node in ast.walk(keyword.value)
                 if isinstance(node, ast.Constant) and node.value in SLUGS}
        assert not named or keyword.arg in ("slug", "alike", "formerly"), (keyword.arg, named)
