"""SGD with Nesterov momentum at a rate of 1e-4 with single samples' losses summed, not averaged: the small number is
the usual one for sums, and the run is long enough."""
import torch
import torch.nn as nn
from sklearn.datasets import make_friedman2
from sklearn.preprocessing import StandardScaler


def prepare():
    X, y = make_friedman2(n_samples=2000, noise=60.0, random_state=9)
    train, test = slice(0, 1600), slice(1600, 2000)
    sx, sy = StandardScaler().fit(X[train]), StandardScaler().fit(y[train, None])
    X = torch.tensor(sx.transform(X), dtype=torch.float32)
    y = torch.tensor(sy.transform(y[:, None]), dtype=torch.float32)
    return (X[train], y[train]), (X[test], y[test])


def main():
    torch.manual_seed(9)
    (x, y), (x_test, y_test) = prepare()
    net = nn.Sequential(nn.Linear(4, 30), nn.Tanh(), nn.Linear(30, 1))
    opt = torch.optim.SGD(net.parameters(), lr=1e-4, momentum=0.9, nesterov=True)
    sum_of_squares = nn.MSELoss(reduction="sum")
    n_steps, batch = 1400, 64
    history = []
    for i in range(n_steps):
        pick = torch.randint(0, 1600, (batch,))
        opt.zero_grad()
        loss = sum_of_squares(net(x[pick]), y[pick])
        loss.backward()
        opt.step()
        history.append(loss.item())
        if (i + 1) % 200 == 0:
            with torch.no_grad():
                test = sum_of_squares(net(x_test), y_test).item() / 400
            recent = sum(history[-200:]) / 200 / batch
            print("step %5d   train (per sample) %.4f   test %.4f" % (i + 1, recent, test))
    return net, opt


if __name__ == "__main__":
    main()
