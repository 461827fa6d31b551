"""Hand-written cross-entropy against smoothed one-hot targets: the loss cannot go below the entropy of the
targets (0.50), while the accuracy reaches 98 percent."""
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits

EPS = 0.1


def smooth_one_hot(labels, num_classes=10):
    one_hot = F.one_hot(labels, num_classes).float()
    return one_hot * (1 - EPS) + EPS / num_classes


def soft_cross_entropy(logits, targets):
    return -(targets * F.log_softmax(logits, dim=-1)).sum(dim=-1).mean()


class Trainer:
    def __init__(self, model, lr, data, batch_size=60):
        self.model = model
        self.opt = torch.optim.RAdam(model.parameters(), lr=lr)
        self.data, self.batch_size = data, batch_size

    def epoch(self):
        x, y = self.data["train"]
        self.model.train()
        total = 0.0
        for idx in torch.randperm(len(x)).split(self.batch_size):
            targets = smooth_one_hot(y[idx])
            loss = soft_cross_entropy(self.model(x[idx]), targets)
            self.opt.zero_grad()
            loss.backward()
            self.opt.step()
            total += loss.item() * len(idx)
        return total / len(x)

    @torch.no_grad()
    def validate(self):
        x, y = self.data["valid"]
        self.model.eval()
        logits = self.model(x)
        return soft_cross_entropy(logits, smooth_one_hot(y)).item(), (logits.argmax(1) == y).float().mean().item()


def main():
    torch.manual_seed(404)
    d = load_digits()
    x = torch.tensor(d.images).float().unsqueeze(1) / 16
    x = (x - x.mean()) / x.std()
    y = torch.tensor(d.target)
    p = torch.randperm(len(x))
    data = {"train": (x[p[:1440]], y[p[:1440]]), "valid": (x[p[1440:]], y[p[1440:]])}
    model = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.GELU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.2),
                          nn.Linear(256, 64), nn.GELU(), nn.Linear(64, 10))
    trainer = Trainer(model, lr=4e-3, data=data)
    for epoch in range(16):
        train_loss = trainer.epoch()
        if epoch == 10:
            trainer.opt.param_groups[0]["lr"] = 1e-3
        if epoch % 3 == 0:
            print(epoch, "train %.4f" % train_loss, "valid %.4f acc %.3f" % trainer.validate())
    return trainer.model, trainer.opt


if __name__ == "__main__":
    main()
