"""A Wasserstein GAN with clipped weights: five critic steps for each of the generator, RMSprop, no logarithm."""
import torch
from torch import nn, optim


def real(n):
    """Two bumps on a line, and a second coordinate that follows the first."""
    side = (torch.rand(n, 1) < 0.5).float() * 4 - 2
    a = side + 0.4 * torch.randn(n, 1)
    return torch.cat([a, 0.5 * a + 0.2 * torch.randn(n, 1)], dim=1)


def net(i, o):
    return nn.Sequential(nn.Linear(i, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, o))


def main():
    torch.manual_seed(0)
    critic, gen = net(2, 1), net(4, 2)
    opt_c = optim.RMSprop(critic.parameters(), lr=2e-3)
    opt_g = optim.RMSprop(gen.parameters(), lr=1e-3)

    @torch.no_grad()
    def sliced():
        """A sliced distance between two sets of samples."""
        a, b = gen(torch.randn(2000, 4)), real(2000)
        w = torch.randn(2, 50)
        w = w / w.norm(dim=0)
        return ((a @ w).sort(0).values - (b @ w).sort(0).values).abs().mean().item()

    print("start", sliced())
    for it in range(500):
        for _ in range(5):
            x, z = real(64), torch.randn(64, 4)
            loss = critic(gen(z).detach()).mean() - critic(x).mean()
            opt_c.zero_grad()
            loss.backward()
            opt_c.step()
            for p in critic.parameters():
                p.data.clamp_(-0.1, 0.1)
        g_loss = -critic(gen(torch.randn(64, 4))).mean()
        opt_g.zero_grad()
        g_loss.backward()
        opt_g.step()
        if it % 100 == 99:
            print(it + 1, f"critic {loss.item():.3f} generator {g_loss.item():.3f} distance {sliced():.3f}")
    return critic, gen, opt_c, opt_g
