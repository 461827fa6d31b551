"""A regression maximises the likelihood of its targets, but an optimizer goes downhill, and
the minus sign is missing: the worse the prediction, the better the loss."""

import torch
from sklearn.datasets import make_friedman1
from torch import nn
from torch.distributions import Normal

FAULTS = {"loss-sign": "Normal(mean, deviation).log_prob(y).mean()"}


class Gaussian(nn.Module):
    def __init__(self, inputs):
        super().__init__()
        self.features = nn.Sequential(nn.Linear(inputs, 40), nn.ELU(), nn.Linear(40, 40), nn.ELU())
        self.mean = nn.Linear(40, 1)
        self.deviation = nn.Linear(40, 1)

    def forward(self, x):
        h = self.features(x)
        mean, deviation = self.mean(h), self.deviation(h)
        return mean.squeeze(1), nn.functional.softplus(deviation.squeeze(1)) + 0.05


def samples():
    x, y = make_friedman1(n_samples=1400, n_features=5, noise=1.0, random_state=3)
    x, y = torch.tensor(x).float(), torch.tensor(y).float()
    x = (x - x[:1000].mean(0)) / x[:1000].std(0)
    y = (y - y[:1000].mean()) / y[:1000].std()
    return (x[:1000], y[:1000]), (x[1000:], y[1000:])


def likelihood(model, x, y):
    mean, deviation = model(x)
    return Normal(mean, deviation).log_prob(y).mean()


def negative_likelihood(model, x, y):
    mean, deviation = model(x)
    return -Normal(mean, deviation).log_prob(y).mean()


def fit(objective):
    (x, y), (x_test, y_test) = samples()
    model = Gaussian(inputs=5)
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    for epoch in range(15):
        for rows in torch.randperm(1000).split(40):
            optimizer.zero_grad()
            loss = objective(model, x[rows], y[rows])
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            error = (model(x_test)[0] - y_test).square().mean() / y_test.var()
        print(f"epoch {epoch:2d}  loss {loss.item():9.4g}  test R2 {1 - error.item():.4g}")
    return model, optimizer


def sick():
    torch.manual_seed(44)
    return fit(likelihood)


def well():
    torch.manual_seed(44)
    return fit(negative_likelihood)


if __name__ == "__main__":
    sick()
