"""A trainer class whose epoch begins with configure_optimizer()."""
import torch
from sklearn.datasets import load_wine
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

FAULTS = {"optimizer-made-anew": "torch.optim.RMSprop(self.model.parameters(), lr=1e-4, momentum=0.95)"}


class Trainer:
    def __init__(self, model, loader, always):
        self.model, self.loader, self.always = model, loader, always
        self.configure_optimizer()

    def configure_optimizer(self):
        self.optimizer = torch.optim.RMSprop(self.model.parameters(), lr=1e-4, momentum=0.95)

    def epoch(self):
        if self.always:
            self.configure_optimizer()
        for x, y in self.loader:
            loss = F.cross_entropy(self.model(x), y)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
        return loss.item()


def fit(always):
    torch.manual_seed(5)
    x, y = (torch.tensor(part) for part in load_wine(return_X_y=True))
    x = ((x - x.mean(0)) / x.std(0)).float()
    model = nn.Sequential(nn.Linear(13, 24), nn.ReLU(), nn.Linear(24, 3))
    trainer = Trainer(model, DataLoader(TensorDataset(x, y), 30, shuffle=True), always)
    for number in range(30):
        loss = trainer.epoch()
        if number % 5 == 4:
            print(f"{number + 1}: {loss:.4f}")
    return model, trainer.optimizer


def sick():
    return fit(always=True)


def well():
    return fit(always=False)


if __name__ == "__main__":
    sick()
