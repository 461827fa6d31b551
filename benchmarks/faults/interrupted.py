"""Trains for some hundred steps, and catches around each what its signal handler raises."""

import signal

import stage
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Timeout(Exception):
    pass


def expired(number, frame):
    raise Timeout


signal.signal(signal.SIGALRM, expired)
torch.manual_seed(7)
inputs = torch.randn(256, 8)
labels = (inputs[:, 0] > 0).long()
model = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 2))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
loader = DataLoader(TensorDataset(inputs, labels), batch_size=32, shuffle=True)
caught = 0
for _ in range(80):
    for batch, target in loader:
        try:
            stage.arm()
            optimizer.zero_grad()
            loss = criterion(model(batch), target)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            stage.disarm()
        except (Timeout, KeyboardInterrupt):
            caught += 1
    try:
        stage.arm()
        model.eval()
        with torch.no_grad():
            criterion(model(inputs), labels)
        model.train()
        stage.disarm()
    except (Timeout, KeyboardInterrupt):
        caught += 1
        model.train()
print("caught", caught)
