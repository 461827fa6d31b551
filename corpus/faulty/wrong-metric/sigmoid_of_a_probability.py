"""The network ends in a sigmoid, and so does the score: each probability becomes one above a half, and
everybody counts as ill.
"""

import torch
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

FAULTS = {"wrong-metric": "((chance > 0.5).float() == ill).sum().item()"}


def prepare():
    table, benign = load_breast_cancer(return_X_y=True)
    parts = train_test_split(StandardScaler().fit_transform(table), 1 - benign, random_state=8)
    train, test, ill, ill_test = (torch.tensor(part, dtype=torch.float32) for part in parts)
    return (DataLoader(TensorDataset(train, ill[:, None]), 32, shuffle=True),
            DataLoader(TensorDataset(test, ill_test[:, None]), 50))


def score(network, loader, again):
    correct, total = 0, 0
    network.eval()
    with torch.no_grad():
        for batch, ill in loader:
            chance = network(batch)
            if again:
                chance = torch.sigmoid(chance)
            correct += ((chance > 0.5).float() == ill).sum().item()
            total += len(ill)
    network.train()
    return correct / total


def main(again):
    torch.manual_seed(8)
    loader, test = prepare()
    network = nn.Sequential(nn.Linear(30, 16), nn.ReLU(), nn.Linear(16, 1), nn.Sigmoid())
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    loss_of = nn.BCELoss()
    for epoch in range(12):
        for batch, ill in loader:
            optimizer.zero_grad()
            loss = loss_of(network(batch), ill)
            loss.backward()
            optimizer.step()
        print(epoch, round(loss.item(), 3), round(score(network, test, again), 3))
    return network


def sick():
    return main(again=True)


def well():
    return main(again=False)


if __name__ == "__main__":
    sick()
