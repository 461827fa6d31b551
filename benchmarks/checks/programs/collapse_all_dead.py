"""The bias of a ReLU layer is far below zero, so that no unit is ever active."""
import torch
from sklearn.datasets import load_iris
from torch import nn

torch.manual_seed(35)
data = load_iris()
x = torch.tensor((data.data - data.data.mean(0)) / data.data.std(0), dtype=torch.float32)
y = torch.tensor(data.target)
hidden = nn.Linear(32, 32)
nn.init.constant_(hidden.bias, -30.0)
model = nn.Sequential(
    nn.Linear(4, 32),
    nn.Tanh(),
    hidden,
    nn.ReLU(),  # fault
    nn.Linear(32, 3),
)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for epoch in range(30):
    for rows in torch.randperm(150).split(15):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
        optimizer.step()
