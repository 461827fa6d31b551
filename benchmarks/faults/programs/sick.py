"""A sick program: gradients are never cleared, and in the end an exception ends it."""

import stage
import torch
from torch import nn

torch.manual_seed(6)
inputs = torch.randn(256, 10)
labels = (inputs[:, 0] * inputs[:, 1] > 0).long()
model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 2))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)


def train(batch, target):
    loss = criterion(model(batch), target)
    loss.backward()
    optimizer.step()
    stage.stepped()
    return loss.item()


for step in range(96):
    pick = torch.randperm(256)[:32]
    last = train(inputs[pick], labels[pick])
print(f"loss {last:.9f}")
stage.finish(model, optimizer)
try:
    train(inputs, labels[:7])
except ValueError as error:
    raise RuntimeError("the last batch does not fit") from error
