"""A wide network learns its few hundred rows by heart. What is held out is scored by functions of
sklearn on arrays, which say so, and no loss of torch is computed on it."""

import numpy as np
import torch
from sklearn.metrics import log_loss, roc_auc_score
from torch import nn
from torch.nn import functional

FAULTS = {"no-regularisation": None}


class Net(nn.Module):
    def __init__(self, drop):
        super().__init__()
        self.first = nn.Linear(12, 512)
        self.second = nn.Linear(512, 512)
        self.head = nn.Linear(512, 1)
        self.drop = drop

    def forward(self, x):
        x = functional.dropout(torch.relu(self.first(x)), self.drop, self.training)
        x = functional.dropout(torch.relu(self.second(x)), self.drop, self.training)
        return self.head(x).squeeze(1)


def fit(drop, decay, epochs):
    torch.manual_seed(4)
    random = np.random.default_rng(3)
    x = random.normal(size=(1_600, 12)).astype(np.float32)
    chance = 1 / (1 + np.exp(-1.5 * (x[:, 0] * x[:, 1] + x[:, 2] - x[:, 3])))
    y = (random.random(len(x)) < chance).astype(np.float32)
    x_train, y_train = torch.tensor(x[:600]), torch.tensor(y[:600])
    x_valid, y_valid = torch.tensor(x[600:]), y[600:]
    net = Net(drop)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=decay)
    for epoch in range(epochs):
        net.train()
        for rows in torch.randperm(600).split(32):
            loss = functional.binary_cross_entropy_with_logits(net(x_train[rows]), y_train[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        net.eval()
        with torch.no_grad():
            said = torch.sigmoid(net(x_valid)).numpy().clip(1e-6, 1 - 1e-6)
        print(epoch, f"{log_loss(y_valid, said):.3f} {roc_auc_score(y_valid, said):.3f}")
    return net, optimizer


def sick():
    return fit(drop=0.0, decay=0.0, epochs=30)


def well():
    return fit(drop=0.6, decay=0.3, epochs=20)


if __name__ == "__main__":
    sick()
