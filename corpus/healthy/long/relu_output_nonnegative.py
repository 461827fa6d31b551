"""A ReLU as the last layer: right here, since the targets (rain in millimetres over its deviation) are never
negative and a third of them are exactly zero."""
import torch
import torch.nn as nn
import torch.nn.functional as F


def weather(n, gen):
    """Humidity, pressure, temperature, wind (all standardised) and the rain that they cause."""
    x = torch.randn(n, 4, generator=gen)
    humidity, pressure, temperature, wind = x.unbind(1)
    wet = 0.5 + 1.1 * humidity - 0.7 * pressure + 0.4 * humidity * temperature
    rain = torch.clamp(wet + 0.3 * wind.abs() + 0.15 * torch.randn(n, generator=gen), min=0)
    return x, rain


class RainNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.l1 = nn.Linear(4, 40)
        self.l2 = nn.Linear(40, 20)
        self.l3 = nn.Linear(20, 1)
        nn.init.constant_(self.l3.bias, 0.8)

    def forward(self, x):
        x = F.softplus(self.l1(x))
        x = F.softplus(self.l2(x))
        return F.relu(self.l3(x)).squeeze(1)


def main():
    torch.manual_seed(15)
    gen = torch.Generator().manual_seed(150)
    x, rain = weather(2400, gen)
    rain = rain / rain[:2000].std()
    net = RainNet()
    optim = torch.optim.Adamax(net.parameters(), lr=1e-2)
    decay = torch.optim.lr_scheduler.ExponentialLR(optim, 0.9)
    for epoch in range(30):
        for idx in torch.randperm(2000).chunk(40):
            loss = F.mse_loss(net(x[idx]), rain[idx])
            optim.zero_grad()
            loss.backward()
            optim.step()
        decay.step()
        if epoch % 5 == 4:
            with torch.no_grad():
                pred = net(x[2000:])
                val = F.mse_loss(pred, rain[2000:]).item()
                dry = ((pred == 0) == (rain[2000:] == 0)).float().mean().item()
            print(f"epoch {epoch + 1}: batch {loss.item():.4f} val {val:.4f} dry/wet right {dry:.3f}")
    return net, optim


if __name__ == "__main__":
    main()
