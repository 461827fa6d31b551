"""A warm-up of 150 steps, as a function of one's own, is moved on once an epoch: the network learns
slowly all the while.
"""

import torch
from sklearn.datasets import load_diabetes
from torch import nn

FAULTS = {"schedule-mistake": "scheduler.step()"}


def train(each_step):
    torch.manual_seed(4)
    x, _ = load_diabetes(return_X_y=True)
    x = torch.tensor((x - x.mean(0)) / x.std(0), dtype=torch.float32).repeat(3, 1)
    x = x + 0.3 * torch.randn_like(x)
    y = torch.tanh(x[:, :3].sum(1)) + 0.5 * x[:, 3] * x[:, 4]
    y = (y - y.mean()) / y.std()
    model = nn.Sequential(nn.Linear(10, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(),
                          nn.Linear(128, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    scheduler = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / 150))
    for epoch in range(15):
        for rows in torch.randperm(len(x)).split(20):
            loss = nn.functional.mse_loss(model(x[rows]).squeeze(1), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if each_step:
                scheduler.step()
        if not each_step:
            scheduler.step()
        print(epoch, f"{loss.item():.4f}", scheduler.get_last_lr())
    return model, optimizer


def sick():
    return train(each_step=False)


def well():
    return train(each_step=True)


if __name__ == "__main__":
    sick()
