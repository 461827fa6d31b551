"""CNN on synthetic stripe images whose activations are all in place: nn.ReLU(inplace=True), F.relu_ and
leaky_relu_ overwrite what the layer before them gave out."""
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset


def stripes(n, size=12):
    """Images of sinusoidal stripes; the class is the orientation (0, 45, 90 or 135 degrees)."""
    label = torch.randint(0, 4, (n,))
    angle = label * torch.pi / 4 + 0.12 * torch.randn(n)
    freq = torch.empty(n).uniform_(0.9, 1.6)
    phase = torch.rand(n) * 2 * torch.pi
    yy, xx = torch.meshgrid(torch.arange(size) - size / 2, torch.arange(size) - size / 2, indexing="ij")
    u = xx * torch.cos(angle)[:, None, None] + yy * torch.sin(angle)[:, None, None]
    image = torch.sin(freq[:, None, None] * u + phase[:, None, None]) + 0.7 * torch.randn(n, size, size)
    return image[:, None], label


class StripeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 8, 5), nn.ReLU(inplace=True),
            nn.Conv2d(8, 16, 3, stride=2), nn.BatchNorm2d(16), nn.ReLU(inplace=True),
        )
        self.mid = nn.Linear(16 * 9, 32)
        self.low = nn.Linear(32, 16)
        self.head = nn.Linear(16, 4)

    def forward(self, x):
        x = torch.flatten(self.features(x), 1)
        x = F.relu_(self.mid(x))
        x = F.leaky_relu_(self.low(x))
        return self.head(x)


def main():
    torch.manual_seed(77)
    train = DataLoader(TensorDataset(*stripes(1536)), batch_size=64, shuffle=True)
    x_test, y_test = stripes(512)
    model = StripeNet()
    optimizer = torch.optim.NAdam(model.parameters(), lr=2e-3, weight_decay=1e-3)
    sched = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.02, total_iters=9)
    for epoch in range(10):
        model.train()
        epoch_losses = []
        for x, y in train:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            epoch_losses.append(loss.item())
        sched.step()
        model.eval()
        with torch.no_grad():
            logits = model(x_test)
        test_loss, acc = F.cross_entropy(logits, y_test), (logits.argmax(1) == y_test).float().mean()
        print(f"{epoch:2d} {sum(epoch_losses) / len(epoch_losses):.4f} {test_loss:.4f} {acc:.3f}")
    return model, optimizer


if __name__ == "__main__":
    main()
