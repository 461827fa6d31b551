"""The first part of what max returns are the largest outputs themselves, and no class equals one."""
import torch
import torch.nn.functional as F
from sklearn.datasets import load_iris
from torch import nn

FAULTS = {"wrong-metric": "told == labels"}


def share_right(scores, labels):
    told, _ = torch.max(scores, 1)
    return (told == labels).float().mean().item()


def share_right_by_class(scores, labels):
    _, classes = torch.max(scores, 1)
    return (classes == labels).float().mean().item()


def main(share):
    torch.manual_seed(21)
    x, y = (torch.tensor(each) for each in load_iris(return_X_y=True))
    x = ((x - x.mean(0)) / x.std(0)).float()
    order = torch.randperm(150)
    fit, test = order[:105], order[105:]
    model = nn.Sequential(nn.Linear(4, 20), nn.Tanh(), nn.Linear(20, 3))
    adam = torch.optim.Adam(model.parameters(), lr=0.02, weight_decay=1e-3)
    for epoch in range(40):
        for rows in fit[torch.randperm(105)].split(21):
            adam.zero_grad()
            loss = F.cross_entropy(model(x[rows]), y[rows])
            loss.backward()
            adam.step()
        with torch.inference_mode():
            wanted = y[test]
            accuracy = share(model(x[test]), wanted)
        if epoch % 10 == 9:
            print(f"{epoch + 1}: {loss.item():.3f}, {accuracy:.0%} right")
    return model, adam


def sick():
    return main(share_right)


def well():
    return main(share_right_by_class)


if __name__ == "__main__":
    sick()
