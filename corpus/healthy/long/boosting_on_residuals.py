"""Five small networks, each fitted to what those before it have left over. Each has an optimizer of
its own, and the last ones find hardly more than noise."""

import torch
from torch import nn


def apiaries(count):
    bloom, warmth, rain, mites = 2 * torch.rand(4, count) - 1
    honey = torch.sin(3 * warmth) + bloom * (1 - rain) - mites.relu() + 0.2 * torch.randn(count)
    return torch.stack([bloom, warmth, rain, mites], 1), (honey - honey.mean()) / honey.std()


def weak():
    return nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1), nn.Flatten(0))


def fit(x, left):
    net = weak()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 15)
    for _ in range(15):
        for rows in torch.randperm(len(x)).split(50):
            loss = nn.functional.mse_loss(net(x[rows]), left[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        decay.step()
    return net.requires_grad_(False)


def main():
    torch.manual_seed(25)
    x, honey = apiaries(2500)
    told, nets = torch.zeros(2500), []
    for stage in range(5):
        nets.append(fit(x[:2000], honey[:2000] - told[:2000]))
        told += 0.7 * nets[-1](x)
        off = (honey - told).square()
        print(f"stage {stage}: left {off[:2000].mean():.4f}, held out {off[2000:].mean():.4f}")
    return nets


if __name__ == "__main__":
    main()
