"""A Wasserstein critic of leaky ReLUs with a gradient penalty: the loss differentiates a derivative, by the
weights and not by the inputs. A small net beside it learns an energy and its force."""
import torch
from torch import nn


def penalty(critic, real, fake):
    share = torch.rand(len(real), 1)
    mixed = (share * real + (1 - share) * fake).requires_grad_()
    slopes, = torch.autograd.grad(critic(mixed).sum(), mixed, create_graph=True)
    return (slopes.norm(dim=1) - 1).square().mean()


def main():
    torch.manual_seed(37)
    critic = nn.Sequential(nn.Linear(2, 48), nn.LeakyReLU(0.2), nn.Linear(48, 48), nn.LeakyReLU(0.2),
                           nn.Linear(48, 1))
    generator = nn.Sequential(nn.Linear(3, 48), nn.ReLU(), nn.Linear(48, 2))
    first = torch.optim.Adam(critic.parameters(), lr=1e-3, betas=(0.5, 0.9))
    second = torch.optim.Adam(generator.parameters(), lr=5e-4, betas=(0.5, 0.9))
    for step in range(350):
        real = torch.randn(64, 2) * 0.2 + torch.tensor([1.0, -1.0])
        fake = generator(torch.randn(64, 3))
        loss = critic(fake.detach()).mean() - critic(real).mean()
        loss = loss + 5 * penalty(critic, real, fake.detach())
        first.zero_grad()
        loss.backward()
        first.step()
        if step % 3 == 2:
            loss = -critic(generator(torch.randn(64, 3))).mean()
            second.zero_grad()
            loss.backward()
            second.step()
        if step % 50 == 0:
            print(step, loss.item(), fake.mean(0).tolist())
    energy = nn.Sequential(nn.Linear(2, 32), nn.SiLU(), nn.Linear(32, 1))
    third = torch.optim.Adam(energy.parameters(), lr=3e-3)
    for step in range(250):
        place = torch.randn(64, 2, requires_grad=True)
        value = energy(place)
        force, = torch.autograd.grad(value.sum(), place, create_graph=True)
        loss = (value[:, 0] - place.square().sum(1).detach() / 2).square().mean()
        loss = loss + (force - place.detach()).square().mean()
        third.zero_grad()
        loss.backward()
        third.step()
    print("energy", loss.item())
    return critic, generator, energy, first, second, third


if __name__ == "__main__":
    main()
