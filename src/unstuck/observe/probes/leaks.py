"""Whether the model is given what it has to predict: later steps, or the target as a feature."""

from __future__ import annotations

import ast
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import nn

from unstuck.observe import graph
from unstuck.observe.later import Number
from unstuck.observe.probe import Context, Probe
from unstuck.observe.probes.finite import FiniteProbe
from unstuck.observe.probes.losses import LossProbe
from unstuck.observe.source.sites import Site, expression_at, user_trees
from unstuck.observe.tensors import is_plain, observable, tensors_in
from unstuck.schema.facts.sequences import LooksAhead, TargetFeature, TargetInPlace
from unstuck.schema.places import SourceLocation
from unstuck.schema.signals.sequences import IN_PLACE, LOOKS_AHEAD, TARGET_FEATURES
from unstuck.torch_api import BINARY, CLASS_LIKELIHOODS, IGNORE_INDEX, REGRESSION, target_among

MOST_INPUTS = 4
ELEMENT_LIMIT = 1_000_000
MOST_NODES = 5_000
STEPS = 4  # of a sequence at least
SHIFTED = 0.95  # of the targets must be the next input, and
SAME = 0.5  # of them at most the same input
FEATURES = 3  # of a table at least: a line through one feature is a lesson, not a leak
SAMPLES = 8  # of a batch at least
NOTHING = 1e-6  # of the attention
PRODUCT = 12  # operations from a softmax back to the product of queries and keys
PRODUCTS = ("AddmmBackward0", "MmBackward0")  # of a layer with weights
# Operations that leave each step by itself.
STEPWISE = graph.RESHAPES - {"SelectBackward0", "SliceBackward0", "ExpandBackward0"} | {
    "MulBackward0", "NativeDropoutBackward0", "NativeLayerNormBackward0", "ReluBackward0",
    "TanhBackward0"}
ATTENTION = (nn.TransformerEncoder, nn.TransformerEncoderLayer, nn.MultiheadAttention)


class LeakProbe(Probe):
    """Compares targets with inputs, and looks at what the attention over such inputs can see."""

    signals = (IN_PLACE, LOOKS_AHEAD, TARGET_FEATURES)
    facts = (LooksAhead, TargetFeature, TargetInPlace)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._losses = context.probe(LossProbe)
        self._finite = context.probe(FiniteProbe)
        self._inputs: list[torch.Tensor] = []
        self._targets: dict[str, tuple[torch.Tensor, int]] = {}  # of a step, and the class left out
        # Losses about the next step, with the number of steps and the tokens.
        self._next: dict[str, tuple[int, torch.Tensor]] = {}
        # Inputs that are the targets of a loss, and whether only behind the first step.
        self._same_step: dict[str, tuple[torch.Tensor, bool]] = {}
        self._in_place: dict[str, float] = {}
        # Layers of attention, and those that go both ways with what made their input.
        self._layers: list[tuple[str, Site | None, Any]] = []
        # Recurrent layers, what made their outputs, and along which axis time goes.
        self._forwards: list[tuple[str, Any, int]] = []
        self._same: dict[str, torch.Tensor] = {}  # features that were the target so far
        self._ahead: dict[str, float] = {}
        self._counts: dict[str, float] = {}
        self._written: dict[str, LooksAhead | TargetFeature | TargetInPlace] = {}

    # Forward ------------------------------------------------------------------------------------
    def layer_called(self, module: nn.Module, args: Any, output: Any) -> None:
        """Notes layers through which a step may see others."""
        if not self._moment.learns or not isinstance(module, (*ATTENTION, nn.RNNBase)):
            return
        recurrent = isinstance(module, nn.RNNBase)
        if recurrent and not module.bidirectional:
            tensor = next(iter(tensors_in(output)), None)
            if tensor is not None and tensor.grad_fn is not None:
                self._forwards.append(
                    (type(module).__name__, tensor.grad_fn, int(module.batch_first)))
        else:
            site = self._names.built_at(module) if recurrent else None
            made = next((t.grad_fn for t in tensors_in(*args)), None) if recurrent else None
            if made is not None or not recurrent:
                self._layers.append(
                    (type(module).__name__, site or self._sites.here(), made))

    def model_trained(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        """Keeps what the model was given until the loss."""
        self._inputs += [t.detach() for t in tensors_in(*args, *kwargs.values())[:MOST_INPUTS]
                         if t.ndim in (2, 3) and observable(t) and t.numel() <= ELEMENT_LIMIT]
        del self._inputs[:-MOST_INPUTS]

    def loss_computed(self, function: str, args: Any, loss: torch.Tensor) -> None:
        """Compares targets with inputs, at a sampled step and with gradients on."""
        if not self._moment.sampled or not loss.requires_grad or (
            function not in CLASS_LIKELIHOODS | REGRESSION | BINARY
        ):
            return
        target = target_among(function, args)
        known = self._losses.known.get((function, self._sites.here()))
        if known is None or not is_plain(target) or not observable(target):
            return
        target = target.detach()
        for given in self._inputs:
            if given.is_floating_point():
                self._features(known.name, given, target)
        if function in CLASS_LIKELIHOODS and not target.is_floating_point():
            self._targets[known.name] = target, int(args[IGNORE_INDEX])

    def _features(self, name: str, given: torch.Tensor, target: torch.Tensor) -> None:
        if len(given) < SAMPLES or target.numel() != len(given) or given[0].numel() < FEATURES:
            return
        wanted = target.reshape(-1, 1).to(given.dtype)
        step, shape = self._moment.step, given.shape
        self._later.read(
            [(given.flatten(1) == wanted).all(0), (wanted == wanted[0]).all()],
            lambda found: None if found[1] else self._compared(name, found[0], shape, step))

    def _compared(self, name: str, same: torch.Tensor, shape: torch.Size, step: int) -> None:
        before = self._same.get(name)
        if before is not None and before.shape == same.shape:
            same = same & before
        self._same[name] = same
        found = same.nonzero()
        self._counts[name] = float(len(found))
        if len(found):
            self._know(TargetFeature(name, int(found[-1]) % shape[-1], shape[0],
                                     int(found[-1]) // shape[-1] if len(shape) > 2 else None), step)

    def _follow(self, name: str, given: torch.Tensor, target: torch.Tensor, ignored: int) -> None:
        """Whether targets are those of the next step: known at once, or of the look before."""
        shares = next_steps(given, target, ignored)
        rest = _share(given[:, 1:] == target[:, 1:], target[:, 1:] != ignored)

        def followed(found: list[float]) -> None:
            if found[0] == 1 or (found[1] == 1 and given.shape[1] >= STEPS):
                self._same_step[name] = given, found[0] < 1
            for (steps, _), share in zip(shares, found[2:], strict=True):
                if found[0] <= SAME and share >= SHIFTED:
                    self._next[name] = steps, given
                    break

        in_place = _share(given == target, target != ignored)
        self._later.values([in_place, rest, *(share for _, share in shares)], followed)

    # Backward -----------------------------------------------------------------------------------
    def graph(self, nodes: list[Any], leaves: set[int]) -> None:
        """Looks at the attention over inputs of which the next ones are the targets."""
        if len(nodes) > MOST_NODES:
            return
        for name, (target, ignored) in self._targets.items():
            for given, wanted in _tokens(nodes, target, ignored):
                self._follow(name, given, wanted, ignored)
        for name, (given, begins) in self._same_step.items():
            self._look_in_place(name, given, begins, nodes)
        for name, (steps, given) in self._next.items():
            maps = [(node, share) for node in sorted(nodes, key=graph.sequence)
                    if (share := ahead(node, steps)) is not None and _attends_to(node, given)]
            if maps:
                self._attend(name, maps[0][0], [share for _, share in maps], steps)
                continue
            both = next((layer for layer in self._layers if layer[2] is not None and any(
                _reads(node, given) for node in graph.walk(layer[2]))), None)
            self._ahead[name] = 0.5 if both is not None else 0.0
            if both is not None:
                self._know(LooksAhead(name, both[0], self._sites.location(both[1]), steps),
                           self._moment.step)

    def _look_in_place(
        self, name: str, given: torch.Tensor, begins: bool, nodes: list[Any]
    ) -> None:
        """Whether each step is given its own target, and nothing of later steps.

        An encoder reads its tokens as well, to give them back, but it attends to later ones too,
        or hands on what it knows at the end.
        """
        times = (1,) if begins else (1, 0)
        for time in times if any(_reads(node, given) for node in nodes) else ():
            steps = int(given.shape[time])
            shares = [share for node in nodes if (share := ahead(node, steps)) is not None
                      and (not begins or _attends_to(node, given))]
            layer = None if shares else next((
                kind for kind, made, axis in self._forwards if axis == time and any(
                    _reads(node, given) for node in graph.walk(made)
                ) and _leads_on(made, nodes, given.numel())), None)
            if steps >= STEPS and (shares or layer is not None):
                fact = TargetInPlace(name, steps, time, layer, begins)
                self._later.values(shares, partial(self._note_in_place, fact, self._moment.step))

    def _begins(self) -> SourceLocation | None:
        """The only place of the program that assigns the first step of sequences by itself."""
        found = [(file, node) for file, tree in user_trees(self._sites) for node in ast.walk(tree)
                 if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript)
                 and ast.unparse(node.targets[0].slice) in ("(:, 0)", "(..., 0)")]
        return expression_at(found[0][0], found[0][1].targets[0], self._sites.keeps_text) if (
            len(found) == 1) else None

    def _note_in_place(self, fact: TargetInPlace, step: int, shares: list[float]) -> None:
        if max(shares, default=0.0) <= NOTHING:
            self._in_place[fact.name] = 1.0
            if fact.begins and fact.name not in self._written:
                fact = replace(fact, location=self._begins())
            self._know(fact, step)

    def _attend(self, name: str, node: Any, shares: list[Number], steps: int) -> None:
        layers = [layer for layer in self._layers if layer[2] is None]
        line, step = self._finite.line_of(node) if not layers else None, self._moment.step
        fused = node.name().startswith("Scaled")

        def attention() -> LooksAhead:
            if layers:  # the outermost of a library's is called last
                kind, site, _ = [each for each in layers if each[1] == layers[0][1]][-1]
                return LooksAhead(name, kind, self._sites.location(site), steps)
            operation = "ScaledDotProductAttentionBackward0" if fused else "SoftmaxBackward0"
            return LooksAhead(name, "scaled_dot_product_attention" if fused else "softmax",
                              self._sites.operation(*line, operation) if line else None, steps)

        def attended(found: list[float]) -> None:
            self._ahead[name] = min(found)
            if self._ahead[name] > NOTHING:
                self._know(attention(), step)

        self._later.values(shares, attended)

    def _know(self, fact: LooksAhead | TargetFeature | TargetInPlace, step: int) -> None:
        before = self._written.get(fact.name)
        if isinstance(before, LooksAhead) and before.location is not None:
            return
        if type(fact) is type(before) is TargetInPlace:
            return  # batches may have other steps
        if fact != before and not (isinstance(before, TargetFeature)
                                   and isinstance(fact, TargetFeature)
                                   and (before.feature, before.row) == (fact.feature, fact.row)):
            self._written[fact.name] = fact
            self._writer.fact(fact, step)

    def look_ended(self, step: int) -> None:
        """Writes what the step showed."""
        self._later.read((), lambda _: self._write(step))
        self._forget()

    def _write(self, step: int) -> None:
        self._writer.sample(IN_PLACE, step, self._in_place)
        self._writer.sample(LOOKS_AHEAD, step, self._ahead)
        self._writer.sample(TARGET_FEATURES, step, self._counts)
        self._in_place, self._ahead, self._counts = {}, {}, {}

    def left_halfway(self) -> None:
        """Forgets the step."""
        self._forget()
        self._in_place, self._ahead, self._counts = {}, {}, {}

    def _forget(self) -> None:
        self._inputs, self._layers, self._forwards = [], [], []
        self._targets, self._next, self._same_step = {}, {}, {}


def _reads(node: Any, given: torch.Tensor) -> bool:
    """Whether an embedding looks up these very tokens."""
    tokens = graph.saved(node, "indices") if node.name() == "EmbeddingBackward0" else None
    return is_plain(tokens) and tokens.data_ptr() == given.data_ptr() and (
        tokens.shape == given.shape)


def _leads_on(made: Any, nodes: list[Any], rows: int) -> bool:
    """Whether what was made at each step goes step by step into a layer of so many rows.

    Nothing of it may be chosen, pooled or attended to before.
    """
    users: dict[Any, list[Any]] = {}
    for node in nodes:
        for parent in graph.parents(node):
            users.setdefault(parent, []).append(node)
    level, reached = [made], {made}
    while level:
        following = [user for node in level for user in users.get(node, ()) if user not in reached]
        if any(user.name() in PRODUCTS and (graph.shape(user) or (0,))[0] == rows
               for user in following):
            return True
        level = [user for user in following if user.name() in STEPWISE]
        reached.update(level)
    return False


def _attends_to(node: Any, given: torch.Tensor) -> bool:
    """Whether what a map of attention looks at was made of these tokens, not of others.

    A decoder looks at what an encoder has read, and both may have as many steps.
    """
    for _ in range(PRODUCT):
        sides = graph.parents(node)
        if node.name() in ("BmmBackward0", "MmBackward0", "BaddbmmBackward0") or (
                node.name().startswith("ScaledDotProduct")):
            return all(any(_reads(each, given) for each in graph.walk(side))
                       for side in sides[-2:] + sides[1:2])
        if not sides:
            return True
        node = sides[0]
    return True


def _tokens(
    nodes: list[Any], target: torch.Tensor, ignored: int
) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """The sequences of tokens that the embeddings of a graph look up, with the target of each
    step, each sequence once.

    Steps of which nothing comes, because it was cut off, are left out.
    """
    found: dict[tuple[int, torch.Size], tuple[torch.Tensor, torch.Tensor]] = {}
    cuts = [cut for node in nodes if (cut := _cut(node)) is not None]
    for node in nodes:
        tokens = graph.saved(node, "indices") if node.name() == "EmbeddingBackward0" else None
        if not is_plain(tokens) or tokens.ndim != 2 or tokens.numel() > ELEMENT_LIMIT or (
                not observable(tokens)):
            continue
        lacking = tokens.numel() - target.numel()
        wanted = target.reshape(tokens.shape) if not lacking else None
        for axis, kept in [*((axis, kept) for shape, axis, kept in cuts if shape == tokens.shape),
                           (1, range(tokens.shape[1] - 1)), (0, range(len(tokens) - 1))]:
            others = tokens.shape[1 - axis]
            if wanted is None and lacking and target.numel() == len(kept) * others:
                wanted = tokens.new_full(tokens.shape, ignored)
                wanted.narrow(axis, kept.start, len(kept)).copy_(
                    target.reshape((others, -1) if axis else (-1, others)))
        if wanted is not None:
            found[tokens.data_ptr(), tokens.shape] = tokens, wanted
    return list(found.values())[:MOST_INPUTS]


def _cut(node: Any) -> tuple[torch.Size, int, range] | None:
    """Which steps a slice keeps of numbers for each step: of which shape, and along which axis."""
    if node.name() != "SliceBackward0":
        return None
    sizes = graph.kept(node, "self_sym_sizes") or ()
    axis = graph.signed(graph.kept(node, "dim"))
    if len(sizes) != 3 or axis not in (0, 1, -2, -3):
        return None
    kept = range(int(sizes[axis]))[slice(*(
        graph.signed(graph.kept(node, end)) for end in ("start", "end")))]
    return torch.Size(sizes[:2]), axis % 3, kept


def next_steps(
    given: torch.Tensor, target: torch.Tensor, ignored: int
) -> list[tuple[int, torch.Tensor]]:
    """For each number of steps that inputs may have: how many targets are those of the next."""
    found = []
    for axis in (1, 0):
        steps = int(given.shape[axis])
        if steps >= STEPS:
            following = given.narrow(axis, 1, steps - 1)
            before = target.narrow(axis, 0, steps - 1)
            found.append((steps, _share(following == before, before != ignored)))
    return found


def _share(same: torch.Tensor, counted: torch.Tensor) -> torch.Tensor:
    """The share of what counts that is the same; 0 if next to nothing counts."""
    count = counted.sum()
    return torch.where(count >= STEPS, (same & counted).sum() / count.clamp(min=1), 0.0)


def ahead(node: Any, steps: int) -> Number | None:
    """How much of a map of attention goes to later steps; None if it is not one over all steps."""
    name = node.name()
    if name.startswith("ScaledDotProduct"):
        shape = graph.shape(node)
        keys = graph.saved(node, "key")
        if shape is None or len(shape) < 3 or shape[-2] != steps or (
            is_plain(keys) and keys.shape[-2] != steps  # attention to another sequence
        ):
            return None
        if graph.saved(node, "is_causal"):
            return 0.0
        mask = graph.saved(node, "attn_mask")
        if not is_plain(mask) or mask.shape[-2] != steps:
            return (steps - 1) / (2 * steps)
        open_ = mask if mask.dtype is torch.bool else mask > torch.finfo(mask.dtype).min / 2
        return open_.triu(1).float().mean()
    if name not in ("SoftmaxBackward0", "SafeSoftmaxBackward0"):
        return None
    weights = graph.saved(node, "result")
    if not is_plain(weights) or tuple(weights.shape[-2:]) != (steps, steps) or (
        graph.dimension(node) not in (-1, weights.ndim - 1)
    ):
        return None
    with torch.no_grad():
        return weights.triu(1).sum() / weights.sum()
