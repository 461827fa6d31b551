"""Each patient came several times, and one score per patient is attached to all visits. The visits
are split at random, so that the held-out ones are scored on patients that were trained on.
"""

import numpy as np
import torch
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split
from torch import nn

FAULTS = {"train-validation-leak": "net(visits[new])"}


def clinic():
    random = np.random.default_rng(4)
    patients = random.normal(size=(250, 12))
    score = patients[:, 0] - patients[:, 1] * patients[:, 2] + random.normal(size=250)
    who = np.repeat(np.arange(250), random.integers(3, 8, 250))
    visits = patients[who] + 0.1 * random.normal(size=(len(who), 12))
    return torch.tensor(visits).float(), torch.tensor(score[who]).float(), who


def train(by_patient):
    torch.manual_seed(0)
    visits, score, who = clinic()
    score = (score - score.mean()) / score.std()
    units = who if by_patient else np.arange(len(who))
    _, apart = train_test_split(np.unique(units), test_size=0.25, random_state=0)
    new = torch.tensor(np.isin(units, apart))
    known = torch.arange(len(new))[~new]
    net = nn.Sequential(nn.Linear(12, 48), nn.ReLU(), nn.Dropout(0.2), nn.Linear(48, 1))
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3)
    for epoch in range(25):
        net.train()
        for rows in known[torch.randperm(len(known))].split(50):
            loss = nn.functional.mse_loss(net(visits[rows]).squeeze(1), score[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        net.eval()
        with torch.no_grad():
            guess = net(visits[new]).squeeze(1)
        print(f"{epoch} loss {loss.item():.3f} R2 {r2_score(score[new], guess):.3f}")
    return net


def sick():
    return train(by_patient=False)


def well():
    return train(by_patient=True)


if __name__ == "__main__":
    sick()
