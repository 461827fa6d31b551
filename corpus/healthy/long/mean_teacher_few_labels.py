"""Semi-supervised learning: a teacher that is the running mean of its student, a consistency loss that ramps up,
few labels and many pictures without. The teacher is never trained and predicts better."""
import copy
import math

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn


def make():
    return nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Dropout(0.3), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10))


@torch.no_grad()
def update_ema(student, teacher, alpha):
    for t, s in zip(teacher.parameters(), student.parameters()):
        t.data.mul_(alpha).add_(s.data, alpha=1 - alpha)


@torch.no_grad()
def accuracy(model, x, y):
    was = model.training
    model.eval()
    acc = (model(x).argmax(1) == y).float().mean().item()
    model.train(was)
    return acc


def main():
    torch.manual_seed(3)
    d = load_digits()
    x = torch.tensor(d.data, dtype=torch.float32) / 16
    y = torch.tensor(d.target)
    order = torch.randperm(len(x))
    labelled, unlabelled, test = order[:200], order[200:1300], order[1300:]
    student = make()
    teacher = copy.deepcopy(student)
    for p in teacher.parameters():
        p.requires_grad_(False)
    optimizer = torch.optim.Adam(student.parameters(), lr=2e-3)
    steps = 400
    for step in range(steps):
        i = labelled[torch.randint(len(labelled), (32,))]
        u = unlabelled[torch.randint(len(unlabelled), (64,))]
        def noisy():
            return torch.cat([x[i], x[u]]) + 0.1 * torch.randn(96, 64)
        logits = student(noisy())
        with torch.no_grad():
            wanted = teacher(noisy()).softmax(1)
        weight = 5.0 * math.exp(-5 * (1 - min(step / 150, 1.0)) ** 2)
        class_loss = F.cross_entropy(logits[:32], y[i])
        consistency = F.mse_loss(logits.softmax(1), wanted)
        loss = class_loss + weight * consistency
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        update_ema(student, teacher, min(1 - 1 / (step + 1), 0.98))
        if step % 100 == 99:
            print(step + 1, f"loss {loss.item():.3f} student {accuracy(student, x[test], y[test]):.3f}"
                            f" teacher {accuracy(teacher, x[test], y[test]):.3f}")
    return student, teacher, optimizer
