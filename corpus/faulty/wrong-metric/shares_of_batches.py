"""The meter adds up the share of right answers in each batch, and divides by the number of samples."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

FAULTS = {"wrong-metric": "self.right / self.seen"}


class Meter:
    def __init__(self, of_shares):
        self.of_shares = of_shares
        self.right, self.seen = 0.0, 0

    def update(self, logits, labels):
        hits = (logits.argmax(1) == labels).float()
        self.right += hits.mean().item() if self.of_shares else hits.sum().item()
        self.seen += len(labels)

    def result(self):
        return self.right / self.seen


def load():
    pictures, labels = load_digits(return_X_y=True)
    data = TensorDataset(torch.tensor(pictures / 16.0, dtype=torch.float32), torch.tensor(labels))
    train, test = random_split(data, [1400, 397], generator=torch.Generator().manual_seed(1))
    return DataLoader(train, 50, shuffle=True), DataLoader(test, 50)


def evaluate(network, loader, of_shares):
    meter = Meter(of_shares)
    network.eval()
    with torch.no_grad():
        for pictures, labels in loader:
            meter.update(network(pictures), labels)
    return meter.result()


def main(of_shares):
    torch.manual_seed(2)
    train, test = load()
    network = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 10))
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    for epoch in range(10):
        network.train()
        for pictures, labels in train:
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(pictures), labels).backward()
            optimizer.step()
        val = evaluate(network, test, of_shares)
        print(f"epoch {epoch + 1}: {val:.3f}")
    return network


def sick():
    return main(of_shares=True)


def well():
    return main(of_shares=False)


if __name__ == "__main__":
    sick()
