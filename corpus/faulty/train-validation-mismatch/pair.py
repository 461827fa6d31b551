"""The training features are standardised, the validation features are passed on as they were
read: the model is judged on inputs of quite another size."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_wine
from torch import nn, optim

FAULTS = {"train-validation-mismatch": "self.model(features)"}


class Standardise:
    def __init__(self, features):
        self.mean = features.mean(dim=0)
        self.std = features.std(dim=0)

    def __call__(self, features):
        return (features - self.mean) / self.std


class Trainer:
    def __init__(self, model, lr):
        self.model = model
        self.optimizer = optim.RMSprop(model.parameters(), lr=lr)

    def epoch(self, features, labels, size=16):
        for rows in torch.randperm(len(features)).split(size):
            self.optimizer.zero_grad()
            loss = F.cross_entropy(self.model(features[rows]), labels[rows])
            loss.backward()
            self.optimizer.step()

    @torch.no_grad()
    def validate(self, features, labels):
        logits = self.model(features)
        return F.cross_entropy(logits, labels).item()


def wine():
    bunch = load_wine()
    features = torch.tensor(bunch.data, dtype=torch.float32)
    labels = torch.tensor(bunch.target)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(5))
    train, val = order[:130], order[130:]
    return features[train], labels[train], features[val], labels[val]


def experiment(prepare_validation):
    torch.manual_seed(9)
    x, y, x_val, y_val = wine()
    scale = Standardise(x)
    x = scale(x)
    if prepare_validation:
        x_val = scale(x_val)
    trainer = Trainer(nn.Sequential(nn.Linear(13, 24), nn.ELU(), nn.Linear(24, 3)), lr=2e-3)
    for _ in range(12):
        trainer.epoch(x, y)
        print("validation loss", trainer.validate(x_val, y_val))
    return trainer.model, trainer.optimizer


def sick():
    return experiment(prepare_validation=False)


def well():
    return experiment(prepare_validation=True)


if __name__ == "__main__":
    sick()
