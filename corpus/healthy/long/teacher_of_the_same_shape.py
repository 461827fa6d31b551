"""A noisy student: a teacher of the same shape, trained before and frozen, labels clean images, and the
student sees them with noise. Beside it a copy follows the student by a moving average."""
import copy

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F


def make():
    return nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 10))


def main():
    torch.manual_seed(40)
    x, y = (torch.tensor(part) for part in load_digits(return_X_y=True))
    x = x.float() / 8 - 0.6
    teacher = make()
    optimizer = torch.optim.Adam(teacher.parameters(), lr=3e-3)
    for _ in range(8):
        for rows in torch.randperm(500).split(25):
            loss = F.cross_entropy(teacher(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    teacher.requires_grad_(False).eval()

    student = copy.deepcopy(teacher).requires_grad_(True)
    average = copy.deepcopy(student).requires_grad_(False)
    optimizer = torch.optim.Adam(student.parameters(), lr=1e-3)
    for step in range(400):
        rows = torch.randint(500, 1500, (50,))
        with torch.no_grad():
            soft = teacher(x[rows]).softmax(1)
            steady = average(x[rows]).softmax(1)
        noisy = x[rows] + 0.3 * torch.randn(50, 64)
        logits = student(noisy)
        loss = F.cross_entropy(logits, soft) + 0.5 * F.mse_loss(logits.softmax(1), steady)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            for slow, fast in zip(average.parameters(), student.parameters()):
                slow.lerp_(fast, 0.02)
        if step % 100 == 99:
            with torch.no_grad():
                print(step, loss.item(), (student(x[1500:]).argmax(1) == y[1500:]).float().mean().item())
    return teacher, student, average, optimizer


if __name__ == "__main__":
    main()
