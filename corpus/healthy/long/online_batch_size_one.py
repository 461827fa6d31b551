"""Online learning: one sample per step, each seen once, with a rate that decays as one over the root of time."""
import math

import torch
import torch.nn as nn
import torch.nn.functional as F


def stream(n, gen):
    """Three interleaved blobs per class in five dimensions."""
    centres = torch.randn(9, 5, generator=torch.Generator().manual_seed(0)) * 1.8
    for _ in range(n):
        k = int(torch.randint(9, (1,), generator=gen))
        x = centres[k] + 0.5 * torch.randn(5, generator=gen)
        yield x / 1.9, torch.tensor(k % 3)


class Learner:
    def __init__(self):
        self.net = nn.Sequential(nn.Linear(5, 40), nn.LeakyReLU(), nn.Linear(40, 3))
        self.opt = torch.optim.SGD(self.net.parameters(), lr=0.1)
        self.t = 0

    def learn_one(self, x, y):
        self.t += 1
        self.opt.param_groups[0]["lr"] = 0.1 / math.sqrt(1 + self.t / 100)
        logits = self.net(x.unsqueeze(0))
        loss = F.cross_entropy(logits, y.unsqueeze(0))
        self.opt.zero_grad()
        loss.backward()
        self.opt.step()
        return loss.item(), int(logits.argmax() == y)


def main():
    torch.manual_seed(7)
    gen = torch.Generator().manual_seed(70)
    test = list(stream(400, gen))
    x_test, y_test = torch.stack([x for x, _ in test]), torch.stack([y for _, y in test])
    learner = Learner()
    window = []
    for i, (x, y) in enumerate(stream(1500, gen), start=1):
        window.append(learner.learn_one(x, y))
        if i % 250 == 0:
            with torch.no_grad():
                out = learner.net(x_test)
            losses, hits = zip(*window)
            print(f"{i} samples: progressive loss {sum(losses) / 250:.3f} hits {sum(hits) / 250:.3f} | "
                  f"test loss {F.cross_entropy(out, y_test).item():.3f} acc {(out.argmax(1) == y_test).float().mean().item():.3f}")
            window.clear()
    return learner.net, learner.opt


if __name__ == "__main__":
    main()
