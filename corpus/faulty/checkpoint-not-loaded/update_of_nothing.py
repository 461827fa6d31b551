"""The popular recipe that updates the model's own dict with the keys that it knows: here it knows none,
for the checkpoint calls its layers otherwise, and the model is given back what it had."""
import io

import torch
import torch.nn as nn
from sklearn.datasets import load_wine

FAULTS = {
    "checkpoint-not-loaded":
    "{key: value for key, value in renamed.items() if key in own}",
}


def encoder():
    return nn.Sequential(nn.Linear(13, 32), nn.Tanh(), nn.Linear(32, 16), nn.Tanh())


class AutoEncoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = encoder(), nn.Linear(16, 13)

    def forward(self, x):
        return self.decoder(self.encoder(x))


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.features, self.top = encoder(), nn.Linear(16, 3)

    def forward(self, x):
        return self.top(self.features(x))


def loop(model, optimizer, criterion, x, target, steps):
    for _ in range(steps):
        rows = torch.randint(len(x), (24,))
        optimizer.zero_grad()
        loss = criterion(model(x[rows]), target[rows])
        loss.backward()
        optimizer.step()
    return loss.item()


def pretrain(x):
    model = AutoEncoder()
    loop(model, torch.optim.Adam(model.parameters(), 3e-3), nn.MSELoss(), x, x, 300)
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    return file


def run(old):
    torch.manual_seed(30)
    x, y = (torch.tensor(part) for part in load_wine(return_X_y=True))
    x = ((x - x.mean(0)) / x.std(0)).float()
    stored = torch.load(pretrain(x))
    model = Classifier()
    own = model.state_dict()
    renamed = {key.replace(old, "features."): value for key, value in stored.items()}
    own.update({key: value for key, value in renamed.items() if key in own})
    model.load_state_dict(own)
    for parameter in model.features.parameters():
        parameter.requires_grad_(False)
    optimizer = torch.optim.SGD(model.top.parameters(), lr=0.05, momentum=0.9)
    print(loop(model, optimizer, nn.CrossEntropyLoss(), x[::4], y[::4], 150))
    return model, optimizer


def sick():
    return run("enc.")


def well():
    return run("encoder.")


if __name__ == "__main__":
    sick()
