"""Estimates the distance between two distributions with a spectrally normalised critic. The loss is minus the
estimate: it starts at zero, goes negative and settles there, and the power iteration updates buffers in train mode."""
import torch
import torch.nn as nn
from torch.nn.utils.parametrizations import spectral_norm

SHIFT = 2.0


class Critic(nn.Module):
    """1-Lipschitz by construction."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            spectral_norm(nn.Linear(2, width)), nn.LeakyReLU(0.7),
            spectral_norm(nn.Linear(width, width)), nn.LeakyReLU(0.7),
            spectral_norm(nn.Linear(width, 1)),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x).squeeze(1)


def sample_pair(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    direction = torch.tensor([0.6, 0.8])
    a = 0.5 * torch.randn(n, 2) - 0.5 * SHIFT * direction
    b = 0.5 * torch.randn(n, 2) + 0.5 * SHIFT * direction
    return a, b


def main():
    torch.manual_seed(30)
    critic = Critic()
    optimizer = torch.optim.Adam(critic.parameters(), lr=2e-3)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 300, gamma=0.3)
    average = 0.0
    for step in range(700):
        critic.train()
        a, b = sample_pair(64)
        loss = critic(a).mean() - critic(b).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        average = 0.95 * average + 0.05 * -loss.item()
        if (step + 1) % 100 == 0:
            critic.eval()
            with torch.no_grad():
                a, b = sample_pair(4000)
                estimate = (critic(b).mean() - critic(a).mean()).item()
            print(f"step {step + 1}: train estimate {average:.3f} held-out {estimate:.3f} (true distance {SHIFT})")
    return critic, optimizer


if __name__ == "__main__":
    main()
