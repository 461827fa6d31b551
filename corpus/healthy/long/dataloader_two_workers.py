"""DataLoader with two worker processes that augment images by torch's own generator, which every worker seeds
differently: the augmentations do not repeat."""
import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, Dataset


class AugmentedDigits(Dataset):
    def __init__(self, images, labels, augment):
        self.images, self.labels, self.augment = images, labels, augment

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        image = self.images[index]
        if self.augment:
            image = image + 0.3 * torch.randn(image.shape)
            if torch.rand(()) < 0.5:
                shift = int(torch.randint(-1, 2, ()))
                image = torch.roll(image, shift, dims=2)
        return image, self.labels[index]


def main():
    torch.manual_seed(83)
    d = load_digits()
    images = torch.tensor(d.images, dtype=torch.float32).unsqueeze(1)
    images = (images - 4.9) / 6.0
    labels = torch.tensor(d.target)
    order = torch.randperm(len(labels))
    train = AugmentedDigits(images[order[:1440]], labels[order[:1440]], augment=True)
    test = AugmentedDigits(images[order[1440:]], labels[order[1440:]], augment=False)
    train_loader = DataLoader(train, batch_size=48, shuffle=True, num_workers=2, persistent_workers=True, drop_last=True)
    test_loader = DataLoader(test, batch_size=357)

    model = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(),
        nn.Conv2d(16, 16, 3, stride=2, padding=1), nn.BatchNorm2d(16), nn.ReLU(),
        nn.Flatten(), nn.Linear(256, 10),
    )
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=9)
    for epoch in range(9):
        model.train()
        train_loss = 0.0
        for x, y in train_loader:
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            optimizer.step()
            train_loss += loss.item() / len(train_loader)
        scheduler.step()
        model.eval()
        with torch.no_grad():
            for x, y in test_loader:
                logits = model(x)
                test_loss, acc = criterion(logits, y).item(), (logits.argmax(1) == y).float().mean().item()
        print(f"epoch {epoch}: train {train_loss:.4f} test {test_loss:.4f} acc {acc:.3f}")
    return model, optimizer


if __name__ == "__main__":
    main()
