"""Knowledge distillation: a large teacher is trained first, then a small student learns from its softened
outputs and the labels. The teacher runs under no_grad and is never updated again."""
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, Subset, TensorDataset


def distillation_loss(student_logits, teacher_logits, labels, T=3.0, alpha=0.7):
    soft = F.kl_div(F.log_softmax(student_logits / T, dim=1), F.softmax(teacher_logits / T, dim=1),
                    reduction="batchmean") * (T * T)
    hard = F.cross_entropy(student_logits, labels)
    return alpha * soft + (1 - alpha) * hard


def test(model, loader):
    model.eval()
    with torch.no_grad():
        hits = sum((model(x).argmax(1) == y).sum().item() for x, y in loader)
    return hits / len(loader.dataset)


def main():
    torch.manual_seed(13)
    d = load_digits()
    dataset = TensorDataset(torch.tensor(d.data / 16 - 0.5, dtype=torch.float32) * 2, torch.tensor(d.target))
    order = torch.randperm(len(dataset)).tolist()
    train_loader = DataLoader(Subset(dataset, order[:1440]), batch_size=48, shuffle=True)
    test_loader = DataLoader(Subset(dataset, order[1440:]), batch_size=357)

    teacher = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Dropout(0.3), nn.Linear(256, 10))
    t_opt = torch.optim.Adam(teacher.parameters(), lr=2e-3, weight_decay=1e-4)
    for epoch in range(12):
        teacher.train()
        for x, y in train_loader:
            loss = F.cross_entropy(teacher(x), y)
            t_opt.zero_grad()
            loss.backward()
            t_opt.step()
    print("teacher", test(teacher, test_loader))

    teacher.eval()
    student = nn.Sequential(nn.Linear(64, 12), nn.ReLU(), nn.Linear(12, 10))
    s_opt = torch.optim.Adam(student.parameters(), lr=1e-2)
    s_sched = torch.optim.lr_scheduler.CosineAnnealingLR(s_opt, 25)
    for epoch in range(25):
        student.train()
        mean_loss = 0.0
        for x, y in train_loader:
            with torch.no_grad():
                t_logits = teacher(x)
            loss = distillation_loss(student(x), t_logits, y)
            s_opt.zero_grad()
            loss.backward()
            s_opt.step()
            mean_loss += loss.item() / len(train_loader)
        s_sched.step()
        if epoch % 5 == 4:
            print(f"student epoch {epoch + 1}: loss {mean_loss:.4f} test acc {test(student, test_loader):.3f}")
    return teacher, student, t_opt, s_opt


if __name__ == "__main__":
    main()
