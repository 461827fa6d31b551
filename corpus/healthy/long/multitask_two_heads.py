"""One trunk, two heads: which digit it is (cross-entropy) and how much ink it has (mean squared error on the
standardised sum). The losses are weighted by learned uncertainties, so the total may turn negative."""
import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, Dataset


class DigitInk(Dataset):
    def __init__(self, images, labels, ink):
        self.images, self.labels, self.ink = images, labels, ink

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        return self.images[i], {"digit": self.labels[i], "ink": self.ink[i]}


class MultiTaskNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Conv2d(1, 12, 3), nn.ReLU(), nn.Conv2d(12, 24, 3), nn.ReLU(), nn.Flatten())
        self.shared = nn.Linear(24 * 16, 64)
        self.digit_head = nn.Linear(64, 10)
        self.ink_head = nn.Linear(64, 1)
        self.log_var = nn.Parameter(torch.zeros(2))

    def forward(self, x):
        h = torch.relu(self.shared(self.trunk(x)))
        return {"digit": self.digit_head(h), "ink": self.ink_head(h)}

    def total(self, ce, mse):
        return (torch.exp(-self.log_var[0]) * ce + self.log_var[0] / 2
                + torch.exp(-self.log_var[1]) * mse / 2 + self.log_var[1] / 2)


def main():
    torch.manual_seed(73)
    d = load_digits()
    images = torch.tensor(d.images, dtype=torch.float32).unsqueeze(1) / 16
    images = (images - images.mean()) / images.std()
    ink = torch.tensor(d.data.std(1), dtype=torch.float32).unsqueeze(1)
    ink = (ink - ink.mean()) / ink.std()
    full = DigitInk(images, torch.tensor(d.target), ink)
    train, val = torch.utils.data.random_split(full, [1440, 357])
    train_loader, val_loader = DataLoader(train, 48, shuffle=True), DataLoader(val, 357)

    model = MultiTaskNet()
    ce_fn, mse_fn = nn.CrossEntropyLoss(), nn.MSELoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.8)
    for epoch in range(15):
        model.train()
        sums = torch.zeros(2)
        for x, target in train_loader:
            out = model(x)
            ce, mse = ce_fn(out["digit"], target["digit"]), mse_fn(out["ink"], target["ink"])
            optimizer.zero_grad()
            model.total(ce, mse).backward()
            optimizer.step()
            sums += torch.tensor([ce.item(), mse.item()])
        scheduler.step()
        model.eval()
        with torch.no_grad():
            x, target = next(iter(val_loader))
            out = model(x)
            acc = (out["digit"].argmax(1) == target["digit"]).float().mean()
            val_ce, val_mse = ce_fn(out["digit"], target["digit"]), mse_fn(out["ink"], target["ink"])
        if epoch % 2 == 0:
            sums /= len(train_loader)
            print(f"{epoch}: ce {sums[0]:.4f} mse {sums[1]:.4f} | val ce {val_ce:.4f} acc {acc:.3f} mse {val_mse:.4f}")
    return model, optimizer


if __name__ == "__main__":
    main()
