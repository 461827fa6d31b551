"""A mask that is to drop the border of images is 1 at the border and 0 within."""
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(23)
d = load_digits()
images = torch.tensor(d.images / 8 - 1, dtype=torch.float32)
border = torch.zeros(8, 8)
border[0], border[-1], border[:, 0], border[:, -1] = 1, 1, 1, 1
border[:, 1], border[:, -2] = 1, 1
images = images * (1 - border)
loader = DataLoader(TensorDataset(images, torch.tensor(d.target)), batch_size=48, shuffle=True)


class Inner(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("mask", border.clone())
        self.a = nn.Linear(64, 64)
        self.b = nn.Linear(64, 10)

    def forward(self, images):
        inside = images * self.mask  # fault
        return self.b(torch.relu(self.a(inside.flatten(1))))


net = Inner()
sgd = torch.optim.SGD(net.parameters(), lr=0.1)
for epoch in range(4):
    for a, b in loader:
        sgd.zero_grad()
        nn.functional.cross_entropy(net(a), b).backward()
        sgd.step()
