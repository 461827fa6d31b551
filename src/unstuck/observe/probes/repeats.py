"""Whether every step trains on the same batch although a loader has more to give."""

from __future__ import annotations

import ast
import math
import weakref
from collections import Counter
from typing import Any

import torch
from torch import nn
from torch.utils.data import WeightedRandomSampler

from unstuck.observe.probe import Context, Probe
from unstuck.observe.probes.samples import SampleProbe
from unstuck.observe.source.seeding import seeded_pick
from unstuck.observe.source.sites import Site, expression_at, syntax_tree
from unstuck.observe.tensors import is_plain
from unstuck.schema.facts.data import Fetch, Loader, Remade
from unstuck.schema.places import SourceLocation
from unstuck.schema.signals.batches import SAME_BATCH, STORED_BATCHES

STEPS = 32  # first steps that are compared
MOST_HASHES = 100_000  # of the samples of a step


def samples_of(loader: Any) -> int | None:
    """How many samples a loader's data set holds, None if it does not say."""
    return length(getattr(loader, "dataset", None))


def length(thing: Any) -> int | None:
    """How many items a sized thing has, None if it does not say."""
    try:
        return len(thing)
    except Exception:  # whatever a class of the program's own may raise
        return None


def loader_fact(
    loader: Any, location: SourceLocation | None, built: SourceLocation | None = None
) -> Loader:
    """A data loader as a record has it; its sampler may have been `built` at a place of its own."""
    where = _where(location) if location is not None else "?"
    sampler = getattr(loader, "sampler", None)
    weights = sampler.weights if isinstance(sampler, WeightedRandomSampler) else None
    return Loader(
        f"loader at line {where}", location, getattr(loader, "batch_size", None),
        type(sampler).__name__, samples_of(loader), int(getattr(loader, "num_workers", 0)),
        weights=length(weights), draws=length(sampler), built=built,
        whole=bool(getattr(loader, "drop_last", False)),
    )


def _where(location: SourceLocation) -> str:
    """The line of a loader, with the column if another one stands before it on the line."""
    text = location.text or ""
    before, own = text[:location.column - 1], text[location.column - 1:]
    second = bool(own) and f"{own.partition('(')[0]}(" in before
    return f"{location.line}, column {location.column}" if second else f"{location.line}"


def _stored(args: Any) -> float:
    """How many times the first tensor fits into the memory that it is a view of."""
    tensor = next((a for a in args if is_plain(a)), None)
    if tensor is None or not tensor.numel():
        return 1.0
    try:
        whole = int(tensor.untyped_storage().nbytes())
        return float(whole / (tensor.numel() * tensor.element_size()))
    except (RuntimeError, NotImplementedError):  # a tensor without storage
        return 1.0


class RepeatProbe(Probe):
    """Compares the hashes of training batches over the first steps; keeps no data."""

    signals = (SAME_BATCH, STORED_BATCHES)
    facts = (Fetch, Remade)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._samples = context.probe(SampleProbe)
        # Counted: where a sample is one of a few tokens, other batches have the same ones.
        self._now: Counter[float] = Counter()
        self._last: Counter[float] | None = None
        self._stored = 1.0  # times the batch that its memory holds
        self._over = False
        self._given: weakref.ref[torch.Tensor] | None = None  # what the model got last
        self._step = -1  # of that call, the first of its step
        self._anew = False  # it is, or is seen in, another object than in the step before
        self._stack: tuple[Site, ...] = ()
        self._remade = False  # is written

    def quiet_until(self, step: int) -> float:
        """No step is, before enough were compared."""
        return math.inf if self._over else step

    def loader_iterated(self, loader: Any) -> None:
        """Writes where training takes its data from, before its first step."""
        if self._moment.step or not torch.is_grad_enabled():
            return
        site, samples = self._sites.here(), samples_of(loader)
        size = getattr(loader, "batch_size", None)
        if site is not None and samples is not None and size is not None:
            location = self._location(site)
            self._writer.fact(Fetch(
                f"{location.line if location else id(loader)}", location, samples, size), 0)

    def model_called(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        """Notes the hashes of a batch of training."""
        if self._over or not self._moment.learns:
            return
        batch = self._samples.batch
        if batch is not None and len(self._now) < MOST_HASHES:
            # The first tensor alone: noise that is drawn for each step may come beside it.
            self._later.read((), lambda _: self._now.update(batch.hashes.of_first))
            self._stored = _stored(args)
            given = next((a for a in args if is_plain(a)), None)
            if given is not None and self._step != self._moment.step:
                self._step = self._moment.step
                whole = given if given._base is None else given._base  # of a part, or a shape
                self._anew = self._given is not None and self._given() is not whole
                self._given = weakref.ref(whole)
                if self._anew and not self._remade:
                    self._stack = tuple(self._sites.stack())

    def step_ended(self, step: int) -> None:
        """Compares the step's samples with those of the step before."""
        if self._over:
            return
        self._over = step >= STEPS
        stored, anew = self._stored, self._anew
        self._later.read((), lambda _: self._compare(step, stored, anew))

    def _compare(self, step: int, stored: float, anew: bool) -> None:
        now, self._now = self._now, Counter()
        if not now:
            return  # one of several optimizers that step after the same batch
        if self._last is not None and len(now) > 1:
            # An evaluation with gradients comes on top, in some steps or in all but the first.
            same = now <= self._last or self._last <= now
            self._writer.row(SAME_BATCH, step, float(same))
            self._writer.row(STORED_BATCHES, step, stored)
            if anew and same and not self._remade:
                self._remade = True
                places = filter(None, map(self._sites.location, self._stack))
                self._writer.fact(Remade(
                    "model", seeded_pick(places, self._sites.keeps_text)), step)
        self._last = now

    def _location(self, site: Site) -> SourceLocation | None:
        """Where a loader is iterated; with the `next` around it, if there is one."""
        found = self._sites.location(site)
        if found is None:
            return None
        tree = syntax_tree(found.file)
        if tree is None:
            return found
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and node.lineno == found.line and isinstance(
                node.func, ast.Name
            ) and node.func.id == "next" and node.args:
                wide = expression_at(found.file, node, self._sites.keeps_text)
                if wide.column <= found.column and found.end_column <= wide.end_column:
                    return wide
        return found
