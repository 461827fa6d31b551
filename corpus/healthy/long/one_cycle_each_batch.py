"""One cycle of learning rate and momentum over the whole run, stepped after each batch; rates end near zero."""
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR
from torch.utils.data import DataLoader, TensorDataset, random_split


class ConvNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleList([nn.Conv2d(1, 12, 3, padding=1), nn.Conv2d(12, 24, 3, padding=1)])
        self.norms = nn.ModuleList([nn.BatchNorm2d(12), nn.BatchNorm2d(24)])
        self.fc = nn.Linear(24 * 4, 10)

    def forward(self, x):
        for conv, norm in zip(self.convs, self.norms):
            x = F.max_pool2d(norm(conv(x)).relu(), 2)
        return self.fc(x.flatten(1))


def main():
    EPOCHS = 6
    torch.manual_seed(100)
    d = load_digits()
    full = TensorDataset(torch.tensor(d.images, dtype=torch.float32).unsqueeze(1).div(8).sub(1), torch.tensor(d.target))
    train_set, val_set = random_split(full, [1400, len(full) - 1400])
    train_loader, val_loader = DataLoader(train_set, 32, shuffle=True), DataLoader(val_set, 128)
    model = ConvNet()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    scheduler = OneCycleLR(optimizer, max_lr=0.3, epochs=EPOCHS, steps_per_epoch=len(train_loader))
    for epoch in range(EPOCHS):
        model.train()
        for x, y in train_loader:
            loss = F.cross_entropy(model(x), y)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            scheduler.step()
        model.eval()
        val = 0.0
        with torch.inference_mode():
            for x, y in val_loader:
                val += F.cross_entropy(model(x), y, reduction="sum").item()
        print(f"{epoch} train {loss.item():.3f} val {val / len(val_set):.3f}")
    return model, optimizer, scheduler
