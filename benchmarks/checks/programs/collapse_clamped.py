"""Values are clamped to a range that lies below all of them."""
import torch
import torch.nn.functional as F
from sklearn.datasets import load_diabetes
from torch import nn

torch.manual_seed(32)
X, Y = load_diabetes(return_X_y=True)
X = torch.tensor(X / X.std(0), dtype=torch.float32)
Y = torch.tensor((Y - Y.mean()) / Y.std(), dtype=torch.float32).reshape(-1, 1)


class Clamped(nn.Module):
    def __init__(self):
        super().__init__()
        self.up = nn.Linear(10, 50)
        self.down = nn.Linear(50, 1)

    def forward(self, x):
        h = F.softplus(self.up(x))
        h = h.clamp(-1.0, 0.0)  # fault
        return self.down(h)


model = Clamped()
optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3)
for epoch in range(20):
    for i in torch.randperm(len(X)).split(26):
        loss = F.mse_loss(model(X[i]), Y[i])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
