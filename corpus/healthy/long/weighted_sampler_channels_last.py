"""Uneven classes evened out by a WeightedRandomSampler (which draws samples repeatedly), on colour patches in
channels_last memory format: NHWC strides under an NCHW shape."""
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler


def patches(counts, gen):
    """Three textures: vertical colour gradient, checkerboard, one bright blob; random tints."""
    images, labels = [], []
    ramp = torch.linspace(-1, 1, 10)
    yy, xx = torch.meshgrid(ramp, ramp, indexing="ij")
    board = (torch.arange(10)[:, None] // 2 + torch.arange(10)[None, :] // 2) % 2 * 2.0 - 1
    for label, n in enumerate(counts):
        for _ in range(n):
            tint = torch.rand(3, generator=gen) * 0.8 + 0.4
            cx, cy = torch.rand(2, generator=gen) - 0.5
            pattern = [yy * 1.6, board, 3 * torch.exp(-((xx - cx) ** 2 + (yy - cy) ** 2) * 5) - 0.8][label]
            images.append(tint[:, None, None] * pattern + 0.8 * torch.randn(3, 10, 10, generator=gen))
            labels.append(label)
    return torch.stack(images), torch.tensor(labels)


def main():
    torch.manual_seed(49)
    gen = torch.Generator().manual_seed(49)
    x, y = patches([900, 300, 100], gen)
    x_val, y_val = patches([90, 90, 90], gen)
    mean, std = x.mean((0, 2, 3), keepdim=True), x.std((0, 2, 3), keepdim=True)
    x, x_val = (x - mean) / std, ((x_val - mean) / std).contiguous(memory_format=torch.channels_last)
    weights = 1.0 / torch.bincount(y)[y].double()
    sampler = WeightedRandomSampler(weights, num_samples=1280, replacement=True)
    loader = DataLoader(TensorDataset(x, y), batch_size=64, sampler=sampler)

    model = nn.Sequential(
        nn.Conv2d(3, 12, 3), nn.GroupNorm(4, 12), nn.ReLU(), nn.Dropout2d(0.1),
        nn.Conv2d(12, 16, 3), nn.GroupNorm(4, 16), nn.ReLU(), nn.AdaptiveMaxPool2d(2), nn.Flatten(), nn.Linear(64, 3),
    ).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=2e-3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 8)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(8):
        model.train()
        losses = []
        for xb, yb in loader:
            xb = xb.contiguous(memory_format=torch.channels_last)
            loss = criterion(model(xb), yb)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        scheduler.step()
        model.eval()
        with torch.no_grad():
            out = model(x_val)
        recall = [(out[y_val == c].argmax(1) == c).float().mean().item() for c in range(3)]
        print(f"{epoch}: train {sum(losses) / len(losses):.4f} val {criterion(out, y_val).item():.4f} "
               "recall " + " ".join(f"{r:.2f}" for r in recall))
    return model, optimizer


if __name__ == "__main__":
    main()
