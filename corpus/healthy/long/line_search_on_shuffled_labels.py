"""A logistic model that is fitted by a line search, and fitted again to shuffled labels, as a test of
significance asks for: those fits stay at chance on purpose."""

import torch
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import scale
from torch import nn


def fit(x, y):
    model = nn.Linear(x.shape[1], 1)
    optimizer = torch.optim.LBFGS(
        model.parameters(), max_iter=1, history_size=10, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = nn.functional.binary_cross_entropy_with_logits(model(x).squeeze(1), y)
        loss = loss + 0.01 * model.weight.square().sum()
        loss.backward()
        return loss

    for _ in range(25):
        optimizer.step(closure)
    return model, optimizer


def area(model, x, y):
    with torch.no_grad():
        told = model(x).squeeze(1)
    return roc_auc_score(y, told)


def main():
    torch.manual_seed(0)
    x, y = load_breast_cancer(return_X_y=True)
    x, y = torch.tensor(scale(x)[:, :8], dtype=torch.float32), torch.tensor(y, dtype=torch.float32)
    order = torch.randperm(len(x))
    train, held = order[:400], order[400:]
    model, optimizer = fit(x[train], y[train])
    print(f"area {area(model, x[held], y[held]):.3f}")
    by_chance = []
    for _ in range(6):
        shuffled = y[torch.randperm(len(y))]
        by_chance.append(area(fit(x[train], shuffled[train])[0], x[held], shuffled[held]))
    print("by chance", " ".join(f"{each:.3f}" for each in by_chance))
    return model, optimizer


if __name__ == "__main__":
    main()
