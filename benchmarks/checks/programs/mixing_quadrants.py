"""Digits cut into quadrants; one shared encoder for all of them."""
import torch
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(6)
data = load_digits()
images = torch.from_numpy(data.images).float().div(8).sub(1)
labels = torch.from_numpy(data.target).long()


def quadrants(img):
    return torch.stack([img[:, :4, :4], img[:, :4, 4:], img[:, 4:, :4], img[:, 4:, 4:]])


class QuadNet(nn.Module):
    def __init__(self, hidden=24):
        super().__init__()
        self.shared = nn.Sequential(
            nn.Flatten(), nn.Linear(16, 48), nn.ReLU(), nn.Linear(48, hidden), nn.ReLU()
        )
        self.top = nn.Sequential(nn.Linear(4 * hidden, 64), nn.ReLU(), nn.Linear(64, 10))

    def forward(self, img):
        quads = quadrants(img)
        p, n = quads.shape[:2]
        codes = self.shared(quads.flatten(0, 1))
        codes = codes.reshape(n, -1)  # fault
        return self.top(codes)


model = QuadNet()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
loss_fn = nn.CrossEntropyLoss()
order = torch.randperm(len(images))
train, test = order[:1400], order[1400:]

for epoch in range(10):
    model.train()
    shuffled = train[torch.randperm(len(train))]
    for start in range(0, len(shuffled), 40):
        rows = shuffled[start:start + 40]
        loss = loss_fn(model(images[rows]), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

model.eval()
with torch.no_grad():
    predicted = model(images[test]).argmax(dim=1)
print("test accuracy", (predicted == labels[test]).float().mean().item())
