"""An endless IterableDataset: every sample is new, there are no epochs, no length and no shuffling, for the stream
is random by itself. The task is the classification of noisy parabolas against lines."""
import itertools

import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset


class CurveStream(IterableDataset):
    def __init__(self, seed):
        self.seed = seed

    def __iter__(self):
        g = torch.Generator().manual_seed(self.seed)
        t = torch.linspace(-1, 1, 16)
        while True:
            label = int(torch.randint(0, 2, (1,), generator=g))
            a, b, c = torch.randn(3, generator=g)
            bend = (0.6 + a.abs()) * torch.sign(a) * label
            curve = bend * (t ** 2 - 0.38) + b * t + 0.5 * c + 0.3 * torch.randn(16, generator=g)
            yield curve, label


def main():
    torch.manual_seed(6)
    stream = DataLoader(CurveStream(seed=1), batch_size=32)
    test_x, test_y = next(iter(DataLoader(CurveStream(seed=2), batch_size=600)))
    model = nn.Sequential(nn.Linear(16, 32), nn.CELU(), nn.Linear(32, 16), nn.CELU(), nn.Linear(16, 2))
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    scheduler = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.01, total_iters=500)
    loss_fn = nn.CrossEntropyLoss()
    smooth = None
    for step, (x, y) in enumerate(itertools.islice(stream, 500), start=1):
        loss = loss_fn(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        smooth = loss.item() if smooth is None else 0.97 * smooth + 0.03 * loss.item()
        if step % 100 == 0:
            with torch.no_grad():
                out = model(test_x)
            acc = (out.argmax(1) == test_y).float().mean().item()
            print(f"{step * 32} samples: smoothed loss {smooth:.4f} test loss {loss_fn(out, test_y).item():.4f} acc {acc:.3f}")
    return model, optimizer


if __name__ == "__main__":
    main()
