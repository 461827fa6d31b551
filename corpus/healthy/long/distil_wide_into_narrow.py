"""First a wide teacher is trained, then a narrow student from its softened outputs and from the labels."""
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits


class Mlp(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(64, hidden), nn.ReLU(), nn.Linear(hidden, 10))

    def forward(self, x):
        return self.net(x)


class Trainer:
    def __init__(self, model, criterion, lr, data):
        self.model, self.criterion, self.data = model, criterion, data
        self.optimizer = torch.optim.Adam(model.parameters(), lr=lr)

    def fit(self, epochs):
        X, y, Xv, yv = self.data
        for epoch in range(epochs):
            self.model.train()
            for idx in torch.randperm(len(X)).split(50):
                loss = self.criterion(self.model(X[idx]), X[idx], y[idx])
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
            if epoch % 5 == 4:
                self.model.eval()
                with torch.no_grad():
                    acc = (self.model(Xv).argmax(1) == yv).float().mean()
                print(type(self.model).__name__, epoch + 1, f"{loss.item():.3f} acc {acc.item():.3f}")
        return self.model


def main():
    torch.manual_seed(14)
    d = load_digits()
    X = torch.tensor(d.data, dtype=torch.float32) / 16
    y = torch.tensor(d.target)
    p = torch.randperm(len(X))
    data = X[p[:1400]], y[p[:1400]], X[p[1400:]], y[p[1400:]]

    first = Trainer(Mlp(200), lambda out, x, y: F.cross_entropy(out, y), 2e-3, data)
    teacher = first.fit(10).eval()
    for q in teacher.parameters():
        q.requires_grad = False

    T = 3.0

    def distillation(out, x, y):
        with torch.no_grad():
            soft = F.softmax(teacher(x) / T, dim=1)
        kd = F.kl_div(F.log_softmax(out / T, dim=1), soft, reduction="batchmean") * T * T
        return 0.7 * kd + 0.3 * F.cross_entropy(out, y)

    second = Trainer(Mlp(24), distillation, 5e-3, data)
    student = second.fit(15)
    return teacher, student, first.optimizer, second.optimizer
