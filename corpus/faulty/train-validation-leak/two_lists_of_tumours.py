"""Measurements of tumours. Forty rows were entered twice, as happens when two lists become one, and
a part is set aside only after that, so that some of its rows are trained on as well."""

import torch
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from torch import nn

FAULTS = {"train-validation-leak": "net(x_aside)"}


def entered_twice(table, verdicts, rows=40):
    again = torch.randperm(len(table))[:rows]
    return torch.cat([table, table[again]]), torch.cat([verdicts, verdicts[again]])


def train(before):
    torch.manual_seed(5)
    table, verdicts = map(torch.tensor, load_breast_cancer(return_X_y=True))
    table, verdicts = table.float(), verdicts.float()
    if before:
        table, verdicts = entered_twice(table, verdicts)
    x, x_aside, y, y_aside = train_test_split(table, verdicts, test_size=0.25, random_state=5)
    if not before:
        x, y = entered_twice(x, y)
    middle, width = x.mean(0), x.std(0)
    x, x_aside = (x - middle) / width, (x_aside - middle) / width
    net = nn.Sequential(
        nn.Linear(30, 24), nn.ReLU(), nn.Dropout(0.2), nn.Linear(24, 1), nn.Flatten(0))
    sgd = torch.optim.SGD(net.parameters(), lr=0.03, momentum=0.9, weight_decay=5e-3)
    measure = torch.nn.BCEWithLogitsLoss()
    for epoch in range(18):
        net.train()
        for rows in torch.randperm(len(x)).split(30):
            sgd.zero_grad()
            loss = measure(net(x[rows]), y[rows])
            loss.backward()
            sgd.step()
        net.eval()
        with torch.no_grad():
            logits = net(x_aside)
        hit = ((logits > 0) == (y_aside > 0.5)).float().mean()
        print(f"{epoch}: {loss.item():.3f}, aside {measure(logits, y_aside):.3f} {hit:.1%}")
    return net, sgd


def sick():
    return train(before=True)


def well():
    return train(before=False)


if __name__ == "__main__":
    sick()
