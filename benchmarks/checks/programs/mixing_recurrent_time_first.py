"""The recurrent layer takes the batch for time, because batch_first is missing."""
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(52)
x = torch.randn(600, 9, 4)
y = x[:, :, 0].mean(1, keepdim=True) * 3
loader = DataLoader(TensorDataset(x, y), batch_size=24, shuffle=True)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(4, 20)
        self.out = nn.Linear(20, 1)

    def forward(self, x):
        states = self.rnn(x)[0]  # fault
        return self.out(states[:, -1])


net = Net()
optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
for epoch in range(5):
    for xb, yb in loader:
        loss = nn.functional.mse_loss(net(xb), yb)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
