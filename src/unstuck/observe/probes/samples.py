"""Tells data that were trained on from data that were not, by hashes of samples; keeps no data."""

from __future__ import annotations

import math
import weakref
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Self

import torch
from torch import nn

from unstuck.observe import graph
from unstuck.observe.identity import ByIdentity
from unstuck.observe.probe import Context, Probe
from unstuck.observe.probes.formula import Formula, Output, read_formula
from unstuck.observe.samples import ending, relabelled
from unstuck.observe.samples.bags import unbagged
from unstuck.observe.samples.batch import Batch, Hashes, Made, Role, beside, holds, is_one_sample
from unstuck.observe.samples.hashing import BATCH_LIMIT, Hashing
from unstuck.observe.samples.learned import Learned
from unstuck.observe.samples.overlap import Overlap
from unstuck.observe.samples.passes import Passes
from unstuck.observe.samples.relabelled import Relabelled
from unstuck.observe.samples.reservoir import Reservoir
from unstuck.observe.samples.rounds import Rounds
from unstuck.observe.source.sites import Site
from unstuck.observe.tensors import is_leaf, is_plain, observable, tensors_in
from unstuck.schema.facts.data import Kept
from unstuck.schema.facts.run import EndKind
from unstuck.schema.facts.sentinels import Filling
from unstuck.schema.signals.losses import HELD_OUT_AGAIN
from unstuck.torch_api import CLASS_LIKELIHOODS, DIFFERENCES, target_among

FIRST_STEPS = 128  # in which every training batch is hashed
SPACING = 128  # later only every so many steps
MOST_HASHES = 200_000
MOST_MET = 64  # batches that are told apart until a loss reaches backward
PRIMES = (2, 3, 5, 7)  # whose roots keep the tensors of a sample apart
GRID = 20  # binary digits of a target that is only known from a difference
EVALUATED = 4  # predictions of an evaluation that may wait for their losses


class SampleProbe(Probe):
    """Remembers hashes of training samples and compares those of other passes with them.

    Only a batch whose loss reaches backward has been trained on: a validation that forgets
    `no_grad` looks like training until then.
    """

    signals = (HELD_OUT_AGAIN, *ending.SIGNALS, *relabelled.SIGNALS)
    facts = (Filling, Kept)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._limits = context.limits
        self._timed = context.timed
        self._overlap = Overlap()
        self._passes = Passes()
        self._rounds = Rounds()
        self._relabelled = Relabelled()
        self.trained_on: set[float] = set()
        self._reservoir = Reservoir()
        self._again = [0, 0]  # training samples met again, of those looked at
        self._hashing = Hashing()
        self._learned = Learned()
        self._learns = False
        self._together: bool | None = None  # whether all tensors of a call make a sample
        # Tensors that models received since a loss last reached backward, each once.
        self._met: set[tuple[float, ...]] = set()
        self._trainings = [0, 0]  # losses that reached backward, of one such tensor and of several
        # Told of each batch whose loss could have reached backward and never did.
        self.judged: Callable[[Batch | None, Role], None] = lambda batch, role: None
        self.batch: Batch | None = None  # of the last model call, if it was hashed
        self._made: Made | None = None  # by the last call of a model that met data
        self._whole: weakref.ref[nn.Module] | None = None  # the model that is learned from
        self._evaluated: deque[Made] = deque(maxlen=EVALUATED)  # since a model last learned
        # Models that receive in training what others have made.
        self._fed: ByIdentity[nn.Module, bool] = ByIdentity()
        self._allowance = ending.Allowance()

    def follow(self, before: Self) -> None:
        """All trainings of a process together may take so long at their ends."""
        self._allowance = before._allowance

    @property
    def role(self) -> Role:
        """The role of a loss without a graph, computed now."""
        if self._learns:
            return Role.SEEN  # a metric of the training batch
        return self.batch.role if self.batch is not None else Role.HELD_OUT

    @property
    def hashed(self) -> int:
        """How many training samples were hashed, those that came again among them."""
        return self._again[1]

    def passes(self) -> Iterable[tuple[set[float], set[float]]]:
        """Of each line that only looks at samples: all of them, and those of held-out batches."""
        return self._overlap.passes(self.trained_on)

    def hashes_of(self, rows: torch.Tensor) -> Counter[float]:
        """The different hashes of samples on the host, and how often each occurs."""
        return Counter(value for part in rows.split(BATCH_LIMIT)
                       for found in self._hashing.rows(part) for value in found.tolist())

    def quiet_until(self, step: int) -> float:
        """Steps are, in which no batch is hashed and none is kept."""
        if step < FIRST_STEPS or step % SPACING == 0 or (
            self._reservoir.open or step >= self._reservoir.next
        ):
            return step
        return min((step // SPACING + 1) * SPACING, self._reservoir.next)

    def quiet_steps_begin(self) -> None:
        """Keeps no sample of these steps."""
        self._reservoir.passed_by()

    def loader_iterated(self, loader: Any) -> None:
        """A pass over a loader begins, and the one before has ended."""
        if self._moment.step < FIRST_STEPS:
            key = id(loader)
            self._later.read((), lambda _: self._passes.begins(key))

    def batch_drawn(self, iterator: Any, indices: Any) -> None:
        """Notes which samples a loader fetches next."""
        self._reservoir.drawn(iterator, indices)

    def model_called(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        """Notes the input."""
        learns, sampled, step = self._moment.learns, self._moment.sampled, self._moment.step
        # A part may be called once more for a term of the loss, with what the whole was given.
        if learns and self._learns and self.batch is not None and holds(self._whole, module):
            return
        self._learns = learns
        self.batch = None
        if learns:
            self._whole = weakref.ref(module)
            self._evaluated.clear()
        if learns and not (self._reservoir.opens(step) or sampled) and step >= FIRST_STEPS and (
            step % SPACING
        ):
            self._reservoir.passed_by()
            return
        given = tensors_in(*args, *kwargs.values())
        if not given:
            return
        first = given[0]
        if first.ndim == 0 or not observable(first):
            return
        if self._made is not None and self._is_fed(module, first, learns):
            self.batch = self._made.batch
            self._output(output)
            return
        single = is_one_sample(first, output)
        rows = first.detach().unsqueeze(0) if single else unbagged(module, given)
        others = () if rows is not None or self._together is False else beside(given)
        first = first if rows is None else rows
        hashes, tensors = Hashes(self._later.settle), len(given) if learns and is_leaf(first) else 0
        self._later.read(self._hashing.rows(first, *others), lambda found: self._hashed(
            hashes, self._identity(found, len(others), learns), tensors))
        self.batch = Batch(
            hashes, id(module), len(first), others=tuple(map(weakref.ref, given[1:tensors])))
        self.batch.chunk = self._reservoir.forward(
            module, first, others, learns, sampled, step, single=single)
        made = self._output(output)
        self._made = None if made is None else Made(
            weakref.ref(made), self.batch, step, learns)
        if not learns:
            if self._made is not None:
                self._evaluated.append(self._made)
            self._looked_at(self.batch, self.batch.role, self._sites.stack)

    def role_of(self, output: Any, target: Any = None) -> Role:
        """The role of a loss without a graph, computed now of what a model returned.

        Its batch is the last one again: several may be predicted before the first loss is computed.
        A batch of all samples may be both, of which some are trained on: then its targets tell.
        """
        if not self._learns and is_plain(output) and observable(output):
            self.batch = next(
                (made.batch for made in self._evaluated if made.is_in(output)), self.batch)
        others = not self._learns and self.batch is not None and self.is_all(self.batch) and (
            self._learned.is_of_others(target))
        return Role.HELD_OUT if others else self.role

    def is_all(self, batch: Batch) -> bool:
        """Whether training has had no other samples, as a graph network gets all nodes at a time.
        """
        return len(self.trained_on) <= len(batch.hashes.values)

    def _output(self, output: Any) -> torch.Tensor | None:
        """The first tensor that a model returned, which is noted for the batch."""
        made = next(iter(tensors_in(output)), None)
        batch = self.batch
        if batch is not None and batch.chunk is not None and made is not None and (
            made.grad_fn is not None
        ):
            batch.output = Output(made.detach(), graph.sequence(made.grad_fn))
        return made

    def _is_fed(self, module: nn.Module, first: torch.Tensor, learns: bool) -> bool:
        """Whether a model receives what another has just made of the data.

        In training that is so where a frozen one has made it: what a gradient goes back through is
        told by its graph. In an evaluation, of models that are fed in training.
        """
        assert self._made is not None
        same = self._made.step == self._moment.step and self._made.is_in(first)
        if not learns:
            return same and module in self._fed
        if not is_leaf(first) or (same and self._made.learns):
            self._fed[module] = True
        return same and self._made.learns and is_leaf(first)

    def _identity(
        self, found: list[torch.Tensor], others: int, learns: bool
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The hash of each sample: that of the first tensor, or of all that the model receives; and
        that of the first tensor alone.

        The first batch of training tells which: where the first tensor is the same for several
        samples (a user, a category), and all together are not.
        """
        first, *rest = torch.cat(found).chunk(1 + others)
        # By irrational factors: whole numbers would add up to the same sums.
        whole = sum((each * math.sqrt(PRIMES[i]) for i, each in enumerate(rest)), first)
        if self._together is None and learns and others:
            self._together = len(whole.unique()) > len(first.unique())
            self._reservoir.beside = self._together
        return whole if self._together else first, first

    def _hashed(
        self, hashes: Hashes, found: tuple[torch.Tensor, torch.Tensor], tensors: int
    ) -> None:
        """The hashes of a batch are known; so many `tensors` may be one that is trained on."""
        values = tuple(found[0].tolist())
        first = values if found[0] is found[1] else tuple(found[1].tolist())
        if tensors and len(self._met) < MOST_MET:
            self._met.update([values, *((float(i),) for i in range(1, tensors))])
        share = sum(map(self.trained_on.__contains__, values)) / len(values)
        # Of training samples only those hashed before can be met again; a pass over training data
        # meets about as many as training itself does. Until training has come round once there is
        # nothing to expect: then most must be known.
        expected = self._again[0] / max(1, self._again[1])
        limit = 0.5 * expected if expected >= 0.02 else 0.5
        hashes.know(
            values, Role.SEEN if share >= limit else Role.HELD_OUT, bool(self.trained_on), first)

    def loss_computed(self, function: str, args: Any, loss: torch.Tensor) -> None:
        """Notes what the loss received of the batch."""
        if self.batch is not None:
            self.batch.scored, self.batch.output = True, None
            if self.batch.chunk is not None:
                self._reservoir.loss(self.batch.chunk, function, args)
            target = target_among(function, args)
            if self._learns:
                self._learned.learns(target, self.batch.count)
            if self.batch.others:
                self.batch.carried = sum(each() is target for each in self.batch.others)
            if function not in CLASS_LIKELIHOODS:
                return
            if is_plain(target) and observable(target) and target.ndim == 1 and (
                    not target.is_floating_point()):
                self._labelled(self.batch, target, self._learns)

    def _labelled(self, batch: Batch, target: torch.Tensor, learns: bool) -> None:
        """The labels of a batch are known; those of an evaluation are compared."""

        def read(found: list[torch.Tensor]) -> None:
            batch.labels = found[0].tolist()
            if not learns:
                self._relabelled.evaluated(batch.hashes.values, batch.labels)

        self._later.read_now([target.detach()[:BATCH_LIMIT]], read)

    def suppose(
        self, batch: Batch, function: str, output: torch.Tensor, labels: torch.Tensor
    ) -> None:
        """The labels of a batch of which no loss is computed, and what was predicted for it."""
        if batch.chunk is not None:
            self._reservoir.loss(batch.chunk, function, (output, labels), supposed=True)

    def believe(self) -> None:
        """Labels that were supposed are those of their samples."""
        self._reservoir.believes = True

    def only_looked_at(self, batch: Batch | None, role: Role) -> None:
        """The loss of a batch could have reached backward and never did."""
        if batch is not None:
            self._looked_at(batch, role, tuple)
        self.judged(batch, role)

    def _looked_at(self, batch: Batch, role: Role, here: Callable[[], Sequence[Site]]) -> None:
        self._overlap.looked_at(batch, here)
        if role is Role.HELD_OUT:
            self._rounds.looked_at(batch.hashes.values)
        if batch.chunk is not None and role is Role.HELD_OUT:
            self._reservoir.looked_at(batch.chunk)
        else:
            batch.chunk = None  # the batch itself may be remembered for long

    def evaluation_ended(self) -> None:
        """Notes whether it was of the same samples as the one before."""
        again = self._rounds.ended()
        if again is not None:
            self._writer.row(HELD_OUT_AGAIN, self._moment.step, float(again))

    def quiet_call(self) -> None:
        """Nothing of the batch is to be hashed."""
        self._learns = True
        self.batch = None

    def trained(self, batch: Batch | None) -> None:
        """The loss of a batch has reached backward."""
        if batch is None:
            return
        if batch.chunk is not None:
            self._reservoir.trained(batch.chunk)
        self._later.read((), lambda _: self._trained(batch))
        self.batch = None

    def trained_by_hand(self, root: Any) -> Formula | None:
        """A loss of no loss function has reached backward, whose graph begins at `root`.

        It may compare what the model returned with targets. Values are known from their difference
        only: what rounding has made of them is rounded off. Returns what was read of the loss.
        """
        batch = self.batch
        self.trained(batch)
        if batch is None or batch.chunk is None or batch.output is None:
            return None
        output, batch.output = batch.output, None
        formula = read_formula(root, output)
        targets = formula.target
        if targets is None or formula.prediction is None:
            return formula
        if formula.function in DIFFERENCES:
            with torch.no_grad():
                grid = torch.exp2(targets.detach().abs().max().double().log2().ceil() - GRID)
                targets = (targets.detach().double() / grid).round() * grid
        batch.scored = True
        self._reservoir.loss(batch.chunk, formula.function, (formula.prediction, targets))
        return formula

    def _trained(self, batch: Batch) -> None:
        hashes = batch.hashes.values
        if self._moment.step < FIRST_STEPS:
            self._passes.trained(hashes)
        else:
            self._passes.end()
        if batch.labels is not None:
            self._relabelled.trained(hashes, batch.labels)
        self._trainings[len(self._met) - batch.carried > 1] += 1
        self._met.clear()
        met = sum(map(self.trained_on.__contains__, hashes))
        self._overlap.trained(batch, met, self.trained_on)
        self._again[0] += met
        self._again[1] += len(hashes)
        if len(self.trained_on) < MOST_HASHES:
            self.trained_on.update(hashes)

    def look_ended(self, step: int) -> None:
        """Brings the copies of samples to the host."""
        self._reservoir.bring(self._later)

    def step_ended(self, step: int) -> None:
        """Takes in the copies of a sampled step: bounded once for the run, it thins no schedule."""
        if self._moment.sampled:
            self._reservoir.step_ended(step)

    def finished(self, kind: EndKind) -> None:
        """Writes what the kept samples say.

        Not after Ctrl-C: whoever interrupts a program wants it to end.
        """
        if kind is EndKind.INTERRUPTED or not self._moment.step:
            return
        self._relabelled.finish(self._writer, self._moment.step)
        contents = self._reservoir.contents()
        if contents.train is None:
            return
        composed = self._trainings[1] > self._trainings[0]
        try:
            ending.reduce(
                ending.Left(contents, contents.train, composed, self._overlap, self.trained_on,
                            self._passes.repeated, self._together is True),
                self._sites, self._writer, self._limits, self._moment,
                self._allowance if self._timed else None)
        finally:
            self._reservoir.clear()
