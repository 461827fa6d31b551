"""Binary scores that are right in other ways: a linear output of 0 and 1 by least squares, rounded; a probability, rounded;
a cut at the logit of 0.7; and the share of the larger class beside them."""
import torch
import torch.nn as nn


def accuracy_of(model, x, y, cut):
    correct, seen = 0, 0
    model.eval()
    with torch.no_grad():
        for i in range(0, len(x), 50):
            out = model(x[i:i + 50]).squeeze(-1)
            correct += (cut(out) == y[i:i + 50]).sum().item()
            seen += len(out)
    return correct / seen


def main():
    torch.manual_seed(17)
    x = torch.randn(1000, 8)
    y = (x[:, 0] + x[:, 1] ** 2 > 0.8).float()
    majority_acc = (y == 0).float().mean().item()
    models = []
    for loss_fn, last, cut in ((nn.MSELoss(), nn.Identity(), torch.round), (nn.BCELoss(), nn.Sigmoid(), torch.round),
                               (nn.BCEWithLogitsLoss(), nn.Identity(), lambda z: (z > 0.85).float())):
        model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1), last)
        optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
        for epoch in range(6):
            model.train()
            for rows in torch.randperm(800).split(40):
                loss = loss_fn(model(x[rows]).squeeze(-1), y[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            acc = accuracy_of(model, x[800:], y[800:], cut)
        print(f"{type(loss_fn).__name__} {loss.item():.3f} accuracy {acc:.3f}, one answer for all {majority_acc:.3f}")
        models.append(model)
    return models


if __name__ == "__main__":
    main()
