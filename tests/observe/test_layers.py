"""Layers that were put in later, and layers that are copies."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.observe.sources import record_of, text_at
from unstuck.record.reader import Record
from unstuck.schema.facts.models import Layer, Model

pytestmark = pytest.mark.usefixtures("seeded")

TRAIN = """
def train(steps):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for _ in range(steps):
        optimizer.zero_grad()
        F.mse_loss(model(torch.randn(8, 3, 4)), torch.randn(8, 3, 2)).backward()
        optimizer.step()

train(4)
"""


def layers(record: Record) -> dict[str, Layer]:
    (model,) = record.facts(Model)
    return {layer.name: layer for layer in model.layers}


def test_a_layer_that_takes_the_place_of_another(tmp_path: Path) -> None:
    found = layers(record_of("""
model = nn.Sequential()
model.body = nn.Linear(4, 4)
model.head = nn.Linear(4, 2)
""" + TRAIN + """
model.head = nn.Linear(4, 2, bias=False)
train(4)
""", tmp_path).last)
    assert text_at(found["head"].location) == "nn.Linear(4, 2, bias=False)"
    assert text_at(found["body"].location) == "nn.Linear(4, 4)"


def test_copies_have_the_places_of_their_originals(tmp_path: Path) -> None:
    found = layers(record_of("""
import copy
layer = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)
encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
block = nn.Linear(4, 4)
model = nn.Sequential(encoder, *[copy.deepcopy(block) for _ in range(2)], nn.Linear(4, 2))
""" + TRAIN, tmp_path))
    for name in ("0.layers.0", "0.layers.1", "0.layers.1.linear1"):
        assert text_at(found[name].location) == (
            "nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)")
        assert text_at(found[name].copied) == (
            "nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)")
    assert text_at(found["2"].location) == "nn.Linear(4, 4)"
    assert text_at(found["2"].copied) == "copy.deepcopy(block)"
    assert found["3"].copied is None


def test_a_model_from_a_file_has_the_place_at_which_it_is_read(tmp_path: Path) -> None:
    found = layers(record_of(f"""
file = {str(tmp_path / "model.pt")!r}
torch.save(nn.Linear(4, 2), file)
model = torch.load(file, weights_only=False)
""" + TRAIN, tmp_path))
    assert found["model"].location is None
    assert text_at(found["model"].copied) == "torch.load(file, weights_only=False)"
