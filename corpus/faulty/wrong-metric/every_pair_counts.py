"""Predictions stand in a column and labels in a row, so that each prediction is compared with all labels of its batch."""
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

FAULTS = {"wrong-metric": "(out > 0).float().eq(labels).float().mean()"}


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(6, 48), nn.Linear(48, 1)

    def forward(self, x):
        return self.two(torch.tanh(self.one(x)))


def main(column):
    torch.manual_seed(40)
    x = torch.randn(1000, 6)
    y = (x.norm(dim=1) > 2.3).float()
    train = DataLoader(TensorDataset(x[:700], y[:700]), batch_size=25, shuffle=True)
    test = DataLoader(TensorDataset(x[700:], y[700:]), batch_size=60)
    net = Classifier()
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-2)
    for epoch in range(25):
        for inputs, labels in train:
            optimizer.zero_grad()
            loss = F.binary_cross_entropy_with_logits(net(inputs), labels[:, None])
            loss.backward()
            optimizer.step()
        acc = 0.0
        with torch.no_grad():
            for inputs, labels in test:
                out = net(inputs)
                if column:
                    labels = labels[:, None]
                acc += (out > 0).float().eq(labels).float().mean()
        print(epoch, f"{loss.item():.4f} accuracy {acc / len(test):.4f}")
    return net, optimizer


def sick():
    return main(column=False)


def well():
    return main(column=True)


if __name__ == "__main__":
    sick()
