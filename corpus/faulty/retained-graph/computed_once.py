"""Features are computed once in front of the loop, by layers that are to be trained. The second step
differentiates their graph again."""

import torch
from sklearn.datasets import load_wine
from torch import nn

FAULTS = {"retained-graph": "encoder(inputs)"}


def load():
    features, labels = load_wine(return_X_y=True)
    features = torch.tensor(features, dtype=torch.float32)
    return (features - features.mean(0)) / features.std(0), torch.tensor(labels)


def build():
    torch.manual_seed(3)
    encoder = nn.Sequential(nn.Linear(13, 24), nn.Tanh())
    head = nn.Linear(24, 3)
    both = [*encoder.parameters(), *head.parameters()]
    return encoder, head, torch.optim.Adam(both, lr=0.01)


def sick():
    inputs, labels = load()
    encoder, head, optimizer = build()
    features = encoder(inputs)
    for epoch in range(120):
        loss = nn.functional.cross_entropy(head(features), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"loss {loss.item():.4f}")
    return encoder, head


def well():
    inputs, labels = load()
    encoder, head, optimizer = build()
    for epoch in range(120):
        features = encoder(inputs)
        loss = nn.functional.cross_entropy(head(features), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"loss {loss.item():.4f}")
    return encoder, head


if __name__ == "__main__":
    sick()
