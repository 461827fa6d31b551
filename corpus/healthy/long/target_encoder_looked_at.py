"""Two views of a digit agree with a slowly following encoder, whose spread is printed now and then."""
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def encoder():
    return nn.Sequential(nn.Linear(64, 48), nn.BatchNorm1d(48), nn.ReLU(), nn.Linear(48, 16))


class Pair(nn.Module):
    def __init__(self):
        super().__init__()
        self.online, self.slow = encoder(), encoder()
        self.slow.load_state_dict(self.online.state_dict())
        self.slow.requires_grad_(False)
        self.guess = nn.Sequential(nn.Linear(16, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 16))

    def forward(self, one, other):
        with torch.no_grad():
            seen = self.slow(one), self.slow(other)
        told = self.guess(self.online(other)), self.guess(self.online(one))
        return sum(F.mse_loss(F.normalize(a), F.normalize(b)) for a, b in zip(told, seen))

    @torch.no_grad()
    def follow(self, share):
        for held, own in zip(self.slow.parameters(), self.online.parameters()):
            held.lerp_(own, share)


def view(images):
    kept = (torch.rand_like(images) > 0.2).float()
    return images * kept + 0.1 * torch.randn_like(images)


def main():
    torch.manual_seed(5)
    images = torch.tensor(load_digits().data / 16, dtype=torch.float32)
    loader = DataLoader(TensorDataset(images), batch_size=128, shuffle=True, drop_last=True)
    model = Pair()
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=2e-3)
    for epoch in range(16):
        for digits, in loader:
            loss = model(view(digits), view(digits))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            model.follow(0.03)
        if epoch % 4 == 3:
            with torch.no_grad():
                codes = F.normalize(model.slow(images[:256]), dim=1)
            print(f"epoch {epoch}  loss {loss.item():.3f}  spread {codes.std(0).mean():.3f}")
    return model, optimizer


if __name__ == "__main__":
    main()
