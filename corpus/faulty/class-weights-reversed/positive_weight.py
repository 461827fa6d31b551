"""Four tags of a song, all of them rare. pos_weight is to be negatives over positives, and is the inverse."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

FAULTS = {"class-weights-reversed":
          "F.binary_cross_entropy_with_logits(self.net(x), tags, pos_weight=self.pos_weight)"}


class Tagger:
    def __init__(self, x, tags, invert):
        self.x, self.tags = x, tags
        present, missing = tags.sum(0), (1 - tags).sum(0)
        self.pos_weight = present / missing if invert else missing / present
        self.net = nn.Sequential(nn.Linear(x.shape[1], 40), nn.Tanh(), nn.Linear(40, tags.shape[1]))
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=0.1, momentum=0.9)

    def step(self, rows):
        x, tags = self.x[rows], self.tags[rows]
        loss = F.binary_cross_entropy_with_logits(self.net(x), tags, pos_weight=self.pos_weight)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()


def run(invert):
    torch.manual_seed(3)
    rng = np.random.default_rng(3)
    x = rng.standard_normal((1400, 15)).astype(np.float32)
    scores = x[:, :4] + 0.7 * x[:, 4:8] + 0.4 * rng.standard_normal((1400, 4))
    tags = (scores > np.quantile(scores, [0.8, 0.85, 0.9, 0.88], axis=0).diagonal()).astype(np.float32)
    tagger = Tagger(torch.from_numpy(x[:1000]), torch.from_numpy(tags[:1000]), invert)
    for epoch in range(8):
        order = rng.permutation(1000)
        losses = [tagger.step(order[i:i + 50]) for i in range(0, 1000, 50)]
        with torch.no_grad():
            found = tagger.net(torch.from_numpy(x[1000:])).numpy() > 0
        wanted = tags[1000:] > 0
        print(epoch, np.mean(losses), (found & wanted).sum(0) / wanted.sum(0))
    return tagger.net


def sick():
    return run(invert=True)


def well():
    return run(invert=False)
