"""What may be measured of a tensor, in pieces where it is large, and numbers off their device.

Nothing here ever makes a second copy of a large tensor: it is read piece by piece, or only evenly
spaced parts of it are read. A tensor of at most PIECE elements is taken as a whole.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TypeAlias, TypeGuard

import torch
from torch.optim.optimizer import Optimizer

from unstuck.observe.identity import ByIdentity

# A loss on the CPU is a number at once: reading one from another device would wait for it.
Number: TypeAlias = float | torch.Tensor

MARKED = 1_000
PIECE = 1_000_000  # elements that are worked on at a time
SPREAD = 4_000_000  # elements of a larger tensor, for its mean and standard deviation


def is_plain(value: object) -> TypeGuard[torch.Tensor]:
    """Whether a value is a tensor with numbers, and one that torch itself handles.

    A subclass with a `__torch_dispatch__` of its own (a distributed tensor, a fake one, a counting
    wrapper) may have no numbers of its own: reducing one past its handler would crash the process.
    """
    kind = type(value)
    plain = kind is torch.Tensor or kind is torch.nn.Parameter or (
        issubclass(kind, torch.Tensor)
        and getattr(kind, "__torch_dispatch__", None) is torch.Tensor.__torch_dispatch__
    )
    return plain and not value.is_meta  # type: ignore[attr-defined]


def is_leaf(tensor: torch.Tensor) -> bool:
    """Whether no operation computed a tensor; False where torch refuses to say.

    It does of a view that was made without gradients and whose base has changed with them.
    """
    try:
        return bool(tensor.is_leaf)
    except RuntimeError:
        return False


def tensors_in(*values: object) -> list[torch.Tensor]:
    """The plain tensors among values, in order, and those that a tuple, list or dict holds."""
    found: list[torch.Tensor] = []
    for value in values:
        if is_plain(value):
            found.append(value)
        elif isinstance(value, dict):  # asked past the methods of a container of the user's own
            found += [item for item in dict.values(value) if is_plain(item)]
        elif isinstance(value, tuple):
            found += [item for item in tuple.__iter__(value) if is_plain(item)]
        elif isinstance(value, list):
            found += [item for item in list.__iter__(value) if is_plain(item)]
    return found


def observable(tensor: torch.Tensor) -> bool:
    """Whether a tensor holds plain real numbers that can be read without a trace.

    Not so for what is not plain, for empty, sparse, complex and quantised tensors, and for those
    inside a transformation (vmap, grad).
    """
    return (
        is_plain(tensor)
        and tensor.layout is torch.strided
        and tensor.numel() > 0
        and not tensor.is_complex()
        and not tensor.is_quantized
        and not torch._C._functorch.is_functorch_wrapped_tensor(tensor)
        and is_there(tensor)
    )


def is_there(tensor: torch.Tensor) -> bool:
    """Whether a tensor's memory has not been given back while the tensor lives on.

    Weights that were gathered from several processes lose it between forward and backward; to read
    them then would crash the process.
    """
    if tensor.layout is not torch.strided or not tensor.numel():
        return True
    try:
        return bool(tensor.untyped_storage().nbytes() > 0)
    except (RuntimeError, NotImplementedError):  # it has none of its own
        return True


def mark(tensor: torch.Tensor) -> torch.Tensor:
    """A number that changes with a tensor's values, from its first thousand elements.

    A scalar on the tensor's device.
    """
    return first_elements(tensor.detach(), MARKED).double().sum()


def first_elements(tensor: torch.Tensor, count: int) -> torch.Tensor:
    """The first elements of a tensor, flat; of one that is not contiguous no more is copied."""
    while tensor.ndim > 1 and tensor.numel() > count and not tensor.is_contiguous():
        row = tensor.numel() // tensor.shape[0]
        tensor = tensor[: -(-count // row)] if count > row else tensor[0]
        if count > row:
            break
    return tensor.reshape(-1)[:count]


def pieces(
    tensor: torch.Tensor, keep: int | None = None, limit: int | None = None
) -> Iterator[torch.Tensor]:
    """A tensor in views of at most `limit` elements that together are all of it, PIECE by default.

    They have as many axes as the tensor. Along the axis `keep` they are whole, so that they may
    be larger.
    """
    limit = limit or PIECE
    if tensor.numel() <= limit:
        yield tensor
        return
    keep = None if keep is None else keep % tensor.ndim
    for axis, size in enumerate(tensor.shape):
        if axis != keep and size > 1:
            rows = max(1, limit * size // tensor.numel())
            for part in tensor.split(rows, axis):
                yield from pieces(part, keep, limit)
            return
    yield tensor


def spread(tensor: torch.Tensor, limit: int, keep: int | None = None) -> torch.Tensor:
    """A view of at most `limit` elements of a tensor, evenly spaced along its axes.

    The first axes are thinned first. The axis `keep` stays whole, so that it may be larger.
    """
    keep = None if keep is None else keep % max(tensor.ndim, 1)
    for axis, size in enumerate(tensor.shape):
        if tensor.numel() <= limit:
            break
        if axis != keep:
            count = max(1, limit * size // tensor.numel())
            whole = (slice(None),) * axis
            tensor = tensor[(*whole, slice(None, None, size // count))][(*whole, slice(count))]
    return tensor


def rows_of(
    batch: torch.Tensor, keep: torch.Tensor | None = None, rows: torch.Tensor | None = None
) -> torch.Tensor:
    """A batch as one row per sample; with `keep`, only these elements of each, by their numbers,
    and with `rows` only these samples.
    """
    if keep is None:
        batch = batch if rows is None else batch[rows]
        return batch.reshape(len(batch), -1)
    first = slice(None) if rows is None else rows[:, None]
    if batch.ndim == 2 or batch.is_contiguous():
        return batch.reshape(len(batch), -1)[first, keep]
    places = []
    for size in reversed(batch.shape[1:]):  # torch's own function asks a device for the sizes
        places.append(keep % size)
        keep = keep // size
    return batch[(first, *reversed(places))]


def first_columns(batch: torch.Tensor, count: int) -> torch.Tensor:
    """The first elements of each sample of a batch, flat."""
    while batch.ndim > 2 and not batch.is_contiguous() and count < batch[0].numel():
        row = batch[0, 0].numel()
        batch = batch[:, : -(-count // row)] if count > row else batch[:, 0]
        if count > row:
            break
    return batch.reshape(len(batch), -1)[:, :count]


def evenly(size: int, count: int, device: torch.device) -> torch.Tensor | None:
    """The numbers of `count` elements evenly spaced among `size`; None if that is all of them."""
    if size <= count:
        return None
    exact = torch.float32 if size < 2**24 else torch.float64
    numbers = torch.linspace(0, size - 1, count, dtype=exact, device="cpu").long()
    return numbers.to(device, non_blocking=True)


def norm(tensor: torch.Tensor) -> torch.Tensor:
    """The L2 norm as a float scalar on the tensor's device."""
    tensor = tensor.detach()
    if tensor.dtype in (torch.float32, torch.float64) or tensor.numel() <= PIECE:
        return torch.linalg.vector_norm(tensor.float())
    return torch.linalg.vector_norm(torch.stack([
        torch.linalg.vector_norm(piece.float()) for piece in pieces(tensor)]))


def largest_size(tensor: torch.Tensor) -> torch.Tensor:
    """The largest absolute value, as a scalar on the tensor's device; NaN if there is one."""
    return torch.stack([piece.abs().max() for piece in pieces(tensor.detach())]).max()


def all_finite(tensor: torch.Tensor) -> bool:
    """Whether all numbers are finite."""
    with torch.no_grad():
        found = [torch.isfinite(piece).all() for piece in pieces(tensor.detach())]
        return bool(found[0] if len(found) == 1 else torch.stack(found).all())


def anywhere(tensor: torch.Tensor, holds: Callable[[torch.Tensor], torch.Tensor]) -> bool:
    """Whether something holds for any element; read until the first."""
    return any(bool(holds(piece).any()) for piece in pieces(tensor.detach()))


def share(tensor: torch.Tensor, axis: int, holds: Callable[[torch.Tensor], torch.Tensor]
          ) -> torch.Tensor:
    """For each place along an axis the share of elements for which something holds.

    `holds` may leave out some of the places.
    """
    rest = [i for i in range(tensor.ndim) if i != axis % tensor.ndim]
    found: torch.Tensor | None = None
    for piece in pieces(tensor.detach(), keep=axis):
        count = holds(piece).sum(rest) if rest else holds(piece).long()
        found = count if found is None else found + count
    assert found is not None
    return found.float() / (tensor.numel() // tensor.shape[axis])


def counted(labels: torch.Tensor, classes: int, ignored: int | None = None) -> torch.Tensor:
    """How often each class is among integers; what is none of them is left out. Shape (classes,).

    As `torch.bincount`, which asks a device for the largest of them.
    """
    labels = labels.reshape(-1).long()
    counts = (labels >= 0) & (labels < classes)
    if ignored is not None:
        counts &= labels != ignored
    found = torch.zeros(classes + 1, dtype=torch.int64, device=labels.device)
    place = torch.where(counts, labels, classes)
    return found.index_add_(0, place, torch.ones_like(place))[:classes]


class FirstValues:
    """Whether tensors still have the values that they had when they were first asked about."""

    def __init__(self) -> None:
        self._marks: ByIdentity[torch.Tensor, torch.Tensor] = ByIdentity()

    def rests(self, tensor: torch.Tensor) -> torch.Tensor | None:
        """Whether nothing has changed since the first time, as a scalar; None at the first time."""
        known = self._marks.get(tensor)
        if known is None:
            self._marks[tensor] = mark(tensor)
            return None
        return known == mark(tensor)

    def clear(self) -> None:
        """Forgets everything."""
        self._marks.clear()


def held_by(optimizer: Optimizer) -> list[torch.Tensor]:
    """All parameters of an optimizer, group after group."""
    return [p for group in optimizer.param_groups for p in group["params"]]


def held_here(tensor: torch.Tensor) -> torch.Tensor | None:
    """What this process holds of a tensor, without asking any other; None if that cannot be read.

    Of a distributed tensor that is its shard. The norm of the whole would be a collective.
    """
    if is_plain(tensor):
        return tensor
    if not type(tensor).__module__.startswith("torch.distributed."):
        return None
    shard = getattr(tensor, "_local_tensor", None)
    return shard if is_plain(shard) else None


def is_nonzero(gradient: torch.Tensor) -> torch.Tensor:
    """Whether a gradient is not of zeros only, as a scalar on its device."""
    if not is_plain(gradient):
        return torch.ones((), dtype=torch.bool, device="cpu")  # nobody may look
    values = gradient.coalesce().values() if gradient.is_sparse else gradient
    found = [piece.any() for piece in pieces(values.detach())]
    return found[0] if len(found) == 1 else torch.stack(found).any()


def readable(parameter: torch.Tensor) -> bool:
    """Whether a parameter has values: a lazy one has none before its first call."""
    lazy = isinstance(parameter, torch.nn.parameter.UninitializedTensorMixin)
    return not lazy and observable(parameter)


def mean_deviation(tensor: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and population standard deviation as float scalars on the tensor's device.

    Of a tensor of more than SPREAD elements those of that many evenly spaced ones. Three passes of
    vector arithmetic; `torch.std_mean` takes up to twenty times as long on a CPU.
    """
    tensor = spread(tensor.detach(), SPREAD)
    if tensor.numel() <= PIECE:
        values = tensor.float()
        mean = values.mean()
        return mean, torch.linalg.vector_norm(values - mean) / math.sqrt(values.numel())
    parts = list(pieces(tensor))
    mean = torch.stack([part.sum(dtype=torch.float32) for part in parts]).sum() / tensor.numel()
    apart = torch.stack([torch.linalg.vector_norm(part.float() - mean) for part in parts])
    return mean, torch.linalg.vector_norm(apart) / math.sqrt(tensor.numel())


def by_device(tensors: list[torch.Tensor]) -> list[list[int]]:
    """The numbers of the tensors of each device."""
    found: dict[torch.device, list[int]] = {}
    for index, tensor in enumerate(tensors):
        found.setdefault(tensor.device, []).append(index)
    return list(found.values())


def transfer(tensors: list[torch.Tensor]) -> list[float]:
    """Scalars of any devices as numbers, with one transfer from each device."""
    result = [0.0] * len(tensors)
    for indices in by_device(tensors):
        values = torch.stack([tensors[i].float() for i in indices]).tolist()
        for index, value in zip(indices, values, strict=True):
            result[index] = float(value)
    return result
