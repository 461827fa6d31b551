"""The network outputs one logit. The accuracy takes the larger of its columns, of which there is one: it always says 0."""

import torch
from torch import nn

FAULTS = {"wrong-metric": "logits.argmax(dim=1)"}


def evaluate(model, x, y, by_column):
    model.eval()
    correct, seen = 0, 0
    with torch.no_grad():
        for inputs, labels in zip(x.split(50), y.split(50)):
            logits = model(inputs)
            told = logits.argmax(dim=1) if by_column else (logits.squeeze(1) > 0).long()
            correct += (told == labels).sum().item()
            seen += len(labels)
    return correct / seen


def main(by_column):
    torch.manual_seed(12)
    x = torch.randn(1200, 10)
    y = (x[:, 0] * x[:, 1] > -0.2).long()
    model = nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 1))
    loss_fn = nn.BCEWithLogitsLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(10):
        model.train()
        for rows in torch.randperm(900).split(30):
            loss = loss_fn(model(x[rows]).squeeze(1), y[rows].float())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        accuracy = evaluate(model, x[900:], y[900:], by_column)
        print(f"epoch {epoch}: loss {loss.item():.3f}, accuracy {accuracy:.3f}")
    return model, optimizer


def sick():
    return main(by_column=True)


def well():
    return main(by_column=False)


if __name__ == "__main__":
    sick()
