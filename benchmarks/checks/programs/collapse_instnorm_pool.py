"""Digits with a small convolutional net and instance norm."""
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits

torch.manual_seed(17)
d = load_digits()
imgs = torch.tensor(d.images, dtype=torch.float32).unsqueeze(1) / 16
lbls = torch.tensor(d.target)
perm = torch.randperm(len(imgs))
tr, te = perm[:1400], perm[1400:]


class Net(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.conv1 = nn.Conv2d(1, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.conv3 = nn.Conv2d(width, 2 * width, 3, padding=1)
        self.norm = nn.InstanceNorm2d(2 * width, affine=True)
        self.fc = nn.Linear(2 * width, 10)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = self.conv3(x)
        x = self.norm(x).mean(dim=(2, 3))  # fault
        return self.fc(F.relu(x))


net = Net()
opt = torch.optim.Adam(net.parameters(), lr=3e-3)
for epoch in range(6):
    net.train()
    for b in tr[torch.randperm(len(tr))].split(50):
        opt.zero_grad()
        F.cross_entropy(net(imgs[b]), lbls[b]).backward()
        opt.step()

net.eval()
with torch.no_grad():
    print("digits accuracy %.3f" % (net(imgs[te]).argmax(1) == lbls[te]).float().mean().item())
