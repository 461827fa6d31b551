"""Two tasks share a body, and each loss has a backward pass of its own. The first frees the graph of
the body, through which the second goes."""

import torch
from sklearn.datasets import load_diabetes
from torch import nn

FAULTS = {"retained-graph": "sex_loss.backward()"}


class Shared(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(9, 32), nn.ReLU())
        self.progress, self.sex = nn.Linear(32, 1), nn.Linear(32, 1)

    def forward(self, x):
        x = self.body(x)
        return self.progress(x).squeeze(1), self.sex(x).squeeze(1)


def load():
    table, progress = load_diabetes(return_X_y=True)
    table, progress = torch.tensor(table).float() * 21, torch.tensor(progress).float()
    others = torch.cat([table[:, :1], table[:, 2:]], 1)
    return others, (progress - progress.mean()) / progress.std(), (table[:, 1] > 0).float()


def train(backward):
    torch.manual_seed(8)
    inputs, progress, sex = load()
    model = Shared()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for epoch in range(20):
        for rows in torch.randperm(len(inputs)).split(32):
            guessed, chance = model(inputs[rows])
            progress_loss = nn.functional.mse_loss(guessed, progress[rows])
            sex_loss = nn.functional.binary_cross_entropy_with_logits(chance, sex[rows])
            optimizer.zero_grad()
            backward(progress_loss, sex_loss)
            optimizer.step()
    print(f"progress {progress_loss.item():.3f}, sex {sex_loss.item():.3f}")
    return model


def sick():
    def backward(progress_loss, sex_loss):
        progress_loss.backward()
        sex_loss.backward()

    return train(backward)


def well():
    def backward(progress_loss, sex_loss):
        (progress_loss + sex_loss).backward()

    return train(backward)


if __name__ == "__main__":
    sick()
