"""Twenty-four residual blocks with pre-norm, the last layer of each starting at zero (so that the net starts as a
shallow one and half of its layers have no gradient at the first step). It trains at once."""
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import make_swiss_roll


class ResidualBlock(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.fc1 = nn.Linear(dim, dim)
        self.fc2 = nn.Linear(dim, dim)
        nn.init.zeros_(self.fc2.weight)
        nn.init.zeros_(self.fc2.bias)

    def forward(self, x):
        return x + self.fc2(F.relu(self.fc1(self.norm(x))))


class DeepResNet(nn.Module):
    def __init__(self, n_in, n_out, dim=24, n_blocks=24):
        super().__init__()
        self.inp = nn.Linear(n_in, dim)
        self.blocks = nn.Sequential(*(ResidualBlock(dim) for _ in range(n_blocks)))
        self.out = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, n_out))

    def forward(self, x):
        return self.out(self.blocks(self.inp(x)))


def main():
    torch.manual_seed(64)
    points, position = make_swiss_roll(2400, noise=0.3, random_state=64)
    x = torch.tensor((points - points.mean(0)) / points.std(0), dtype=torch.float32)
    y = torch.tensor((position - position.mean()) / position.std(), dtype=torch.float32).unsqueeze(1)
    model = DeepResNet(3, 1)
    print("layers:", sum(isinstance(m, nn.Linear) for m in model.modules()))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.05)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 280)
    step = 0
    for epoch in range(7):
        for idx in torch.randperm(2000).split(50):
            loss = F.mse_loss(model(x[idx]), y[idx])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            scheduler.step()
            step += 1
        with torch.no_grad():
            print(f"step {step} train {F.mse_loss(model(x[:2000]), y[:2000]).item():.4f} "
                  f"test {F.mse_loss(model(x[2000:]), y[2000:]).item():.4f}")
    return model, optimizer


if __name__ == "__main__":
    main()
