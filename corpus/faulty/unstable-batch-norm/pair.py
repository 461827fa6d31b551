"""Memory allows batches of two, and batch normalisation takes its mean and deviation from
those two samples: in training every feature becomes plus or minus one."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

FAULTS = {"unstable-batch-norm": "nn.BatchNorm1d(48)"}


def normalised_by_batch():
    return nn.Sequential(
        nn.Linear(64, 48),
        nn.BatchNorm1d(48),
        nn.ReLU(),
        nn.Linear(48, 10),
    )


def normalised_by_sample():
    return nn.Sequential(
        nn.Linear(64, 48),
        nn.LayerNorm(48),
        nn.ReLU(),
        nn.Linear(48, 10),
    )


def split_digits():
    x, y = (torch.tensor(array) for array in load_digits(return_X_y=True))
    mixed = torch.randperm(len(x), generator=torch.Generator().manual_seed(2))
    x, y = x[mixed].float().sub(4.9).div(6.0), y[mixed]
    return TensorDataset(x[:1200], y[:1200]), TensorDataset(x[1200:], y[1200:])


def evaluate(net, held_out, loss_fn):
    x, y = held_out.tensors
    with torch.no_grad():
        output = net.eval()(x)
    return loss_fn(output, y).item(), (output.argmax(1) == y).float().mean().item()


def fit(net, learning_rate=2e-3):
    seen, held_out = split_digits()
    loader = DataLoader(seen, batch_size=2, shuffle=True)
    optimizer = torch.optim.Adam(net.parameters(), lr=learning_rate)
    loss_fn = nn.CrossEntropyLoss()
    window = []
    for batch, (x, y) in enumerate(loader, start=1):
        net.train()
        loss = loss_fn(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        window.append(loss.item())
        if batch % 100 == 0:
            test_loss, accuracy = evaluate(net, held_out, loss_fn)
            mean = sum(window) / len(window)
            window.clear()
            print(f"{batch} batches: {mean:.3f}, held out {test_loss:.3f}, {accuracy:.3f}")
    return net, optimizer


def sick():
    torch.manual_seed(33)
    return fit(normalised_by_batch())


def well():
    torch.manual_seed(33)
    return fit(normalised_by_sample())


if __name__ == "__main__":
    sick()
