"""Two networks against each other: two optimizers, scaled losses, clipping, workers, status 3."""

import sys

import stage
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(5)
real = TensorDataset(torch.randn(96, 4) * 0.5 + 2)
loader = DataLoader(
    real, batch_size=16, shuffle=True, num_workers=1, multiprocessing_context="fork")
maker = nn.Sequential(nn.Linear(3, 16), nn.LeakyReLU(0.2), nn.Linear(16, 4))
critic = nn.Sequential(nn.Linear(4, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))
make = torch.optim.Adam(maker.parameters(), lr=1e-3)
judge = torch.optim.Adam(critic.parameters(), lr=1e-3)
scaler = torch.amp.GradScaler("cpu", init_scale=16.0)

for epoch in range(2):
    for (batch,) in loader:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            made = maker(torch.randn(len(batch), 3))
            told = critic(batch)
            fooled = critic(made.detach())
            loss = (F.binary_cross_entropy_with_logits(told, torch.ones_like(told))
                    + F.binary_cross_entropy_with_logits(fooled, torch.zeros_like(fooled)))
        judge.zero_grad()
        scaler.scale(loss).backward()
        scaler.unscale_(judge)
        nn.utils.clip_grad_value_(critic.parameters(), 0.5)
        scaler.step(judge)
        stage.stepped()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            told = critic(made)
            loss = F.binary_cross_entropy_with_logits(told, torch.ones_like(told))
        make.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(make)
        stage.stepped()
        scaler.update()
    print(f"epoch {epoch}: {loss.item():.9f}")
    sys.stdout.flush()

stage.finish(maker, critic, make, judge, scaler)
sys.exit(3)
