"""What torch means by the errors that end a training, and what to do about them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from unstuck.schema.facts.run import End, EndKind
from unstuck.words import number

# The beginning or a part of a message, and what to do. Groups of the pattern are filled in.
KNOWN: Mapping[str, str] = MappingProxyType({
    r"a leaf Variable that requires grad is being used in an in-place":
        "Change the weights under torch.no_grad(), or leave the update to an optimizer.",
    r"modified by an inplace operation":
        "The backward pass needs a tensor that was changed in place. Write x = x + y in place of "
        "x += y, and leave out inplace=True. torch.autograd.set_detect_anomaly(True) shows the "
        "line.",
    r"grad can be implicitly created only for scalar outputs":
        "backward() starts at a single number: take the mean of the losses, as in "
        "loss.mean().backward().",
    r"does not require grad and does not have a grad_fn":
        "What backward() was called on depends on no weight: look for no_grad(), detach(), "
        "item(), argmax() or NumPy between the network and the loss.",
    r"mat1 and mat2 shapes cannot be multiplied \(\d+x(\d+) and (\d+)x\d+\)":
        "The layer expects {1} features and was given {0}: make it that wide, or flatten and "
        "reshape what it is given.",
    r"to have (\d+) channels, but got (\d+) channels":
        "The convolution expects {0} channels and was given {1}. Channels stand behind the "
        "samples: (N, C, H, W).",
    r"must have the same dtype|to have the same dtype|expected scalar type|should be the same "
    r"type|expected .*dtype":
        "Two types of numbers meet. Arrays of NumPy are float64 at first: convert "
        "inputs by .float(), and class indices by .long().",
    r"on the same device|input type .* and weight type|device type":
        "The model and a tensor are on different devices: move both by .to(device).",
    r"size of tensor a \((\d+)\) must match the size of tensor b \((\d+)\)":
        "Two tensors of the sizes {0} and {1} meet where the sizes must be the same: print both "
        "shapes in front of this line.",
    r"Expected input batch_size \((\d+)\) to match target batch_size \((\d+)\)":
        "The model returns {0} rows for {1} targets: look for a reshape that mixes samples with "
        "other axes.",
    r"out of memory":
        "The memory is full: use smaller batches, keep loss.item() in place of the loss, and "
        "evaluate under torch.no_grad().",
    r"'NoneType' object has no attribute '(?:zero_|data|detach|norm)'":
        "A gradient is None: the weight was replaced by the result of an operation, or the loss "
        "does not reach it. Update weights in place, under torch.no_grad().",
    r"index out of range in self":
        "An index is not smaller than the number of rows of an embedding: count the tokens for "
        "padding and unknown words, too.",
    r"device-side assert":
        "An index or a label is out of range. On the CPU the same program names the line.",
    r"Error\(s\) in loading state_dict":
        "The keys or shapes of the weights are not those of the model: print both lists of keys. "
        "A prefix such as module. is left from a wrapper.",
    r"stack expects each tensor to be equal size":
        "The samples of a batch have different sizes: pad them in a collate_fn, as "
        "torch.nn.utils.rnn.pad_sequence does.",
    r"view size is not compatible":
        "The tensor does not lie in one piece: use reshape() in place of view().",
    r"numpy\(\) on tensor that requires grad":
        "Detach what is only looked at: tensor.detach().numpy().",
    r"DataLoader worker .* exited unexpectedly|Caught \w+ in DataLoader worker":
        "A worker of the data loader failed. With num_workers=0 the error shows where.",
    r"optimizer got an empty parameter list":
        "The model has no registered parameters: keep layers as attributes, or in an "
        "nn.ModuleList.",
})


def advice_on(end: End) -> str | None:
    """What to do about the error that ended a program; None if none did."""
    if end.kind is not EndKind.EXCEPTION:
        return None
    for pattern, words in KNOWN.items():
        found = re.search(pattern, end.message or "", re.IGNORECASE)
        if found is not None:
            return words.format(*found.groups())
    at = f" at line {number(end.location.line)}" if end.location is not None else ""
    return f"Mend the {end.exception or 'error'}{at} first: what was trained until then is judged."
