"""The loss takes logits, and so does torch.round: a sure answer of 4.2 becomes 4, which is no label."""
import torch
from torch import nn

FAULTS = {"wrong-metric": "(guess(model(x_test)).squeeze() == y_test).float().mean()"}


def main(guess):
    torch.manual_seed(23)
    x = torch.rand(900, 2) * 2 - 1
    y = ((x ** 2).sum(1) < 0.55).float()
    x_test, y_test = x[600:], y[600:]
    model = nn.Sequential(nn.Linear(2, 40), nn.ReLU(), nn.Linear(40, 40), nn.ReLU(), nn.Linear(40, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    criterion = nn.BCEWithLogitsLoss()
    history = []
    for epoch in range(15):
        for rows in torch.randperm(600).split(30):
            loss = criterion(model(x[rows]).squeeze(), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.inference_mode():
            test_acc = (guess(model(x_test)).squeeze() == y_test).float().mean()
        history.append(test_acc.item())
    print("accuracy", [round(score, 3) for score in history])
    return model, optimizer


def sick():
    return main(torch.round)


def well():
    return main(lambda logits: torch.round(torch.sigmoid(logits)))


if __name__ == "__main__":
    sick()
