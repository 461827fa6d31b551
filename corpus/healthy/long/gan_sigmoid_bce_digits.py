"""A GAN on digits in the classic form: the discriminator ends in a sigmoid, its real and fake losses are
backpropagated one after the other, and the generator is trained with the labels flipped."""
import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset

NZ = 16


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.main = nn.Sequential(
            nn.Linear(NZ, 96), nn.BatchNorm1d(96), nn.ReLU(True),
            nn.Linear(96, 96), nn.BatchNorm1d(96), nn.ReLU(True),
            nn.Linear(96, 64), nn.Tanh())

    def forward(self, z):
        return self.main(z)


class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.main = nn.Sequential(
            nn.Linear(64, 96), nn.LeakyReLU(0.2), nn.Dropout(0.3),
            nn.Linear(96, 48), nn.LeakyReLU(0.2), nn.Dropout(0.3),
            nn.Linear(48, 1), nn.Sigmoid())

    def forward(self, x):
        return self.main(x).view(-1)


def main():
    torch.manual_seed(999)
    images = torch.tensor(load_digits().data, dtype=torch.float32) / 8 - 1
    loader = DataLoader(TensorDataset(images), batch_size=64, shuffle=True, drop_last=True)
    netG, netD = Generator(), Discriminator()
    criterion = nn.BCELoss()
    optimizerD = torch.optim.Adam(netD.parameters(), lr=0.0008, betas=(0.5, 0.999))
    optimizerG = torch.optim.Adam(netG.parameters(), lr=0.0008, betas=(0.5, 0.999))
    fixed_noise = torch.randn(500, NZ)
    real_label, fake_label = 0.9, 0.0

    def distance():
        """Between a made picture and the nearest real one; the mean picture is at about 4."""
        netG.eval()
        with torch.no_grad():
            d = torch.cdist(netG(fixed_noise), images).min(1).values.mean().item()
        netG.train()
        return d

    print("distance at the start", distance())
    for epoch in range(25):
        for i, (real,) in enumerate(loader):
            b = real.size(0)
            netD.zero_grad()
            output = netD(real)
            errD_real = criterion(output, torch.full((b,), real_label))
            errD_real.backward()
            D_x = output.mean().item()
            fake = netG(torch.randn(b, NZ))
            output = netD(fake.detach())
            errD_fake = criterion(output, torch.full((b,), fake_label))
            errD_fake.backward()
            errD = errD_real + errD_fake
            optimizerD.step()
            netG.zero_grad()
            output = netD(fake)
            errG = criterion(output, torch.full((b,), 1.0))
            errG.backward()
            optimizerG.step()
        if epoch % 6 == 0 or epoch == 24:
            print(f"[{epoch}] Loss_D {errD.item():.3f} Loss_G {errG.item():.3f} D(x) {D_x:.3f} distance {distance():.3f}")
    return netG, netD, optimizerG, optimizerD
