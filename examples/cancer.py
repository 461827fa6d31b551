"""Tells benign from malignant tumours by thirty measurements of the cells."""

import torch
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from torch import nn

torch.manual_seed(0)
data, target = load_breast_cancer(return_X_y=True)
x_train, x_test, y_train, y_test = (
    torch.tensor(part, dtype=torch.float32)
    for part in train_test_split(data, target, test_size=0.2, random_state=0)
)

model = nn.Sequential(nn.Linear(30, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
criterion = nn.BCEWithLogitsLoss()

for epoch in range(20):
    model.train()
    for batch in torch.randperm(len(x_train)).split(32):
        optimizer.zero_grad()
        logits = model(x_train[batch]).squeeze(1)
        loss = criterion(logits, y_train[batch])
        loss.backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        logits = model(x_test).squeeze(1)
        accuracy = ((logits > 0) == y_test.bool()).float().mean()
    if epoch % 5 == 4:
        print(f"epoch {epoch + 1:2d}  loss {loss.item():.3f}  test accuracy {accuracy:.2f}")
