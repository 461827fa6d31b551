"""A healthy classifier: a loader, a scheduler, dropout, validation, a checkpoint that is loaded."""

import io

import stage
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(3)
inputs = torch.randn(352, 16)
labels = (inputs @ torch.randn(16, 5)).argmax(1)
train = DataLoader(TensorDataset(inputs[:288], labels[:288]), batch_size=16, shuffle=True)
held_out = DataLoader(TensorDataset(inputs[288:], labels[288:]), batch_size=32)

model = nn.Sequential(
    nn.Linear(16, 24), nn.BatchNorm1d(24), nn.ReLU(), nn.Dropout(0.1), nn.Linear(24, 5))
nn.init.kaiming_normal_(model[0].weight)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 5)

for epoch in range(9):
    model.train()
    for batch, target in train:
        optimizer.zero_grad()
        loss = criterion(model(batch), target)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        stage.stepped()
    scheduler.step()
    model.eval()
    with torch.no_grad():
        total = sum(criterion(model(batch), target).item() for batch, target in held_out)
    print(f"epoch {epoch}: {loss.item():.9f} {total:.9f}")

kept = io.BytesIO()
torch.save(model.state_dict(), kept)
kept.seek(0)
model.load_state_dict(torch.load(kept))
stage.finish(model, optimizer, scheduler)
