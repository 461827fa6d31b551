"""Mixture density network on the inverse sine problem, where one input has several right answers; a hand-written
log-sum-exp loss that ends below zero."""
import math

import numpy as np
import torch
import torch.nn as nn


class MDN(nn.Module):
    def __init__(self, n_hidden, n_gaussians):
        super(MDN, self).__init__()
        self.z_h = nn.Sequential(nn.Linear(1, n_hidden), nn.Tanh())
        self.z_pi = nn.Linear(n_hidden, n_gaussians)
        self.z_mu = nn.Linear(n_hidden, n_gaussians)
        self.z_sigma = nn.Linear(n_hidden, n_gaussians)

    def forward(self, x):
        z_h = self.z_h(x)
        log_pi = torch.log_softmax(self.z_pi(z_h), -1)
        mu = self.z_mu(z_h)
        log_sigma = self.z_sigma(z_h).clamp(min=-4)
        return log_pi, mu, log_sigma


def mdn_loss_fn(y, mu, log_sigma, log_pi):
    # y (N, 1) against mu (N, K): every component sees the same target
    log_normal = -0.5 * ((y - mu) / log_sigma.exp()) ** 2 - log_sigma - 0.5 * math.log(2 * math.pi)
    return -torch.logsumexp(log_pi + log_normal, dim=1).mean()


def main():
    torch.manual_seed(1)
    rng = np.random.default_rng(1)
    n_samples = 2400
    x_data = np.linspace(-10, 10, n_samples)
    y_data = 7 * np.sin(0.75 * x_data) + 0.5 * x_data + rng.standard_normal(n_samples)
    # the inverse problem: swap x and y, then standardise both
    x = torch.tensor((y_data - y_data.mean()) / y_data.std(), dtype=torch.float32).unsqueeze(1)
    y = torch.tensor((x_data - x_data.mean()) / x_data.std(), dtype=torch.float32).unsqueeze(1)
    perm = torch.randperm(n_samples)
    train, test = perm[:2000], perm[2000:]

    network = MDN(n_hidden=40, n_gaussians=6)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=48)
    for epoch in range(48):
        total = 0.0
        for idx in train[torch.randperm(2000)].split(80):
            log_pi, mu, log_sigma = network(x[idx])
            loss = mdn_loss_fn(y[idx], mu, log_sigma, log_pi)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() / 25
        scheduler.step()
        if epoch % 6 == 5:
            with torch.no_grad():
                log_pi, mu, log_sigma = network(x[test])
                print(epoch, round(total, 4), round(mdn_loss_fn(y[test], mu, log_sigma, log_pi).item(), 4))
    return network, optimizer


if __name__ == "__main__":
    main()
