"""What may be measured of a tensor, and how to get numbers off their device."""

from __future__ import annotations

import math

import torch


def observable(tensor: torch.Tensor) -> bool:
    """Whether a tensor holds plain real numbers that can be read without a trace.

    Not so for empty, sparse, complex and quantised tensors, for those without storage (the meta
    device), and for those inside a transformation (vmap, grad).
    """
    return (
        tensor.layout is torch.strided
        and tensor.numel() > 0
        and not tensor.is_complex()
        and not tensor.is_quantized
        and not tensor.is_meta
        and not torch._C._functorch.is_functorch_wrapped_tensor(tensor)
    )


def readable(parameter: torch.Tensor) -> bool:
    """Whether a parameter has values: a lazy one has none before its first call."""
    lazy = isinstance(parameter, torch.nn.parameter.UninitializedTensorMixin)
    return not lazy and observable(parameter)


def mean_deviation(tensor: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and population standard deviation as float scalars on the tensor's device.

    Three passes of vector arithmetic; `torch.std_mean` takes up to twenty times as long on a CPU.
    """
    values = tensor.float()
    mean = values.mean()
    return mean, torch.linalg.vector_norm(values - mean) / math.sqrt(values.numel())


def transfer(tensors: list[torch.Tensor]) -> list[float]:
    """Scalars of any devices as numbers, one transfer where all are on one device."""
    if not tensors:
        return []
    if len({t.device for t in tensors}) == 1:
        return [float(v) for v in torch.stack([t.float() for t in tensors]).tolist()]
    return [float(t) for t in tensors]
