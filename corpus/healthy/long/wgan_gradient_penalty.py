"""Wasserstein GAN with gradient penalty on a 2-D spiral: double backward through autograd.grad(create_graph=True),
three critic steps per generator step, and a critic loss that is negative and creeps towards zero from below."""
import torch
import torch.nn as nn


def real_batch(n):
    r = 0.4 + 1.4 * torch.rand(n, 1)
    angle = 3.5 * r
    return torch.cat([r * angle.cos(), r * angle.sin()], dim=1) + 0.04 * torch.randn(n, 2)


class Generator(nn.Module):
    def __init__(self, z_dim=4):
        super().__init__()
        self.z_dim = z_dim
        self.main = nn.Sequential(nn.Linear(z_dim, 64), nn.ReLU(True), nn.Linear(64, 64), nn.ReLU(True), nn.Linear(64, 2))

    def forward(self, n):
        return self.main(torch.randn(n, self.z_dim))


class Critic(nn.Module):
    def __init__(self):
        super().__init__()
        self.main = nn.Sequential(nn.Linear(2, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 1))

    def forward(self, x):
        return self.main(x).view(-1)


def calc_gradient_penalty(netD, real_data, fake_data):
    alpha = torch.rand(real_data.size(0), 1)
    interpolates = (alpha * real_data + (1 - alpha) * fake_data).requires_grad_(True)
    disc_interpolates = netD(interpolates)
    gradients = torch.autograd.grad(outputs=disc_interpolates, inputs=interpolates,
                                    grad_outputs=torch.ones_like(disc_interpolates), create_graph=True)[0]
    return ((gradients.norm(2, dim=1) - 1) ** 2).mean()


@torch.no_grad()
def energy_distance(netG, n=600):
    a, b = netG(n), real_batch(n)
    return (2 * torch.cdist(a, b).mean() - torch.cdist(a, a).mean() - torch.cdist(b, b).mean()).item()


def main():
    torch.manual_seed(33)
    netG, netD = Generator(), Critic()
    optimizerD = torch.optim.Adam(netD.parameters(), lr=2e-3, betas=(0.5, 0.9))
    optimizerG = torch.optim.Adam(netG.parameters(), lr=1e-3, betas=(0.5, 0.9))
    lambda_gp, critic_iters, batch = 1.0, 3, 128
    print(f"start: energy distance {energy_distance(netG):.4f}")
    for iteration in range(360):
        for p in netD.parameters():
            p.requires_grad_(True)
        for _ in range(critic_iters):
            real, fake = real_batch(batch), netG(batch).detach()
            gp = calc_gradient_penalty(netD, real, fake)
            d_loss = netD(fake).mean() - netD(real).mean() + lambda_gp * gp
            optimizerD.zero_grad()
            d_loss.backward()
            optimizerD.step()
        for p in netD.parameters():
            p.requires_grad_(False)  # spares the computation
        g_loss = -netD(netG(batch)).mean()
        optimizerG.zero_grad()
        g_loss.backward()
        optimizerG.step()
        for opt in (optimizerD, optimizerG):
            opt.param_groups[0]["lr"] *= 0.994
        if iteration % 60 == 59:
            print(f"{iteration + 1}: D {d_loss.item():.4f} G {g_loss.item():.4f} energy distance {energy_distance(netG):.4f}")
    return netG, netD, optimizerG, optimizerD


if __name__ == "__main__":
    main()
