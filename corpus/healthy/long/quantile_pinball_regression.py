"""Three quantiles by the pinball loss on data whose noise grows with x. The loss ends at what the noise allows and
the net's outputs disagree with each other on purpose."""
import torch
import torch.nn as nn

QUANTILES = torch.tensor([0.1, 0.5, 0.9])


def pinball(pred, target):
    """pred (N, 3), target (N, 1): broadcast over the quantiles is wanted."""
    diff = target - pred
    return torch.maximum(QUANTILES * diff, (QUANTILES - 1) * diff).mean()


def draw(n):
    x = torch.rand(n, 1) * 4 - 2
    y = torch.sin(2 * x) + (0.1 + 0.15 * (x + 2)) * torch.randn(n, 1)
    return x / 1.15, y


def main():
    torch.manual_seed(25)
    x, y = draw(3000)
    x_val, y_val = draw(1000)
    net = nn.Sequential(nn.Linear(1, 50), nn.Softplus(), nn.Linear(50, 50), nn.Softplus(), nn.Linear(50, 3))
    optimizer = torch.optim.RMSprop(net.parameters(), lr=3e-3, momentum=0.5)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 20)
    with torch.no_grad():
        constant = pinball(torch.quantile(y, QUANTILES).expand(len(y_val), 3), y_val).item()
    for epoch in range(20):
        for xb, yb in zip(*(t[torch.randperm(3000, generator=torch.Generator().manual_seed(epoch))].split(50) for t in (x, y))):
            optimizer.zero_grad()
            loss = pinball(net(xb), yb)
            loss.backward()
            optimizer.step()
        scheduler.step()
        if epoch % 4 == 3:
            with torch.no_grad():
                q = net(x_val)
                cover = ((y_val > q[:, :1]) & (y_val < q[:, 2:])).float().mean().item()
                print(f"epoch {epoch + 1}: train {pinball(net(x), y).item():.4f} val {pinball(q, y_val).item():.4f} "
                      f"(constant {constant:.4f}) inside 10-90 %: {cover:.3f}")
    return net, optimizer


if __name__ == "__main__":
    main()
