"""Two folds whose losses nobody computes: a library's metric gets the predictions in the unit of
the targets. Half of a small data set is learned by heart in each."""

import numpy as np
import torch
from sklearn.datasets import load_diabetes
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold
from torch import nn

FAULTS = {"no-regularisation": None}

x, y = load_diabetes(return_X_y=True)
x = (x / x.std(0)).astype(np.float32)


class Predictor(nn.Module):
    def __init__(self, drop):
        super().__init__()
        self.first = nn.Linear(x.shape[1], 150)
        self.second = nn.Linear(150, 150)
        self.final = nn.Linear(150, 1)
        self.drop = nn.Dropout(drop)

    def forward(self, rows):
        hidden = self.drop(torch.tanh(self.first(rows)))
        return self.final(self.drop(torch.tanh(self.second(hidden)))).squeeze(1)


def predict(net, rows):
    net.eval()
    found = []
    with torch.no_grad():
        for part in torch.from_numpy(rows).split(64):
            found.append(net(part).numpy())
    return np.concatenate(found)


def study(drop, decay, epochs=130):
    for number, (train, held) in enumerate(KFold(2, shuffle=True, random_state=3).split(x)):
        torch.manual_seed(number)
        middle, unit = y[train].mean(), y[train].std()
        targets = torch.from_numpy(((y[train] - middle) / unit).astype(np.float32))
        net = Predictor(drop)
        optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=decay)
        for epoch in range(epochs):
            net.train()
            for part in torch.randperm(len(train)).split(20):
                optimizer.zero_grad()
                loss = nn.functional.mse_loss(net(torch.from_numpy(x[train])[part]), targets[part])
                loss.backward()
                optimizer.step()
            if epoch % 10 == 9:
                told = predict(net, x[held]) * unit + middle
                print(number, epoch + 1, f"{r2_score(y[held], told):.3f}")
    return net, optimizer


def sick():
    return study(drop=0.0, decay=0.0)


def well():
    return study(drop=0.6, decay=2.0, epochs=40)


if __name__ == "__main__":
    sick()
