"""Pictures lie in memory as height, width, colour; a reshape to colour, height, width takes
the numbers as they come, and no channel holds a colour any more."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

FAULTS = {"wrong-channel-order": "net(x)"}

INKS = torch.tensor(
    [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, 0, 1], [0, 1, 1]], dtype=torch.float32
)


def inked_digits(generator):
    shapes = torch.tensor(load_digits().images, dtype=torch.float32) / 16
    shapes = shapes.repeat_interleave(2, dim=1).repeat_interleave(2, dim=2).unsqueeze(-1)
    which = torch.randint(len(INKS), (len(shapes),), generator=generator)
    ink = INKS[which][:, None, None, :]
    paper = torch.rand(len(shapes), 1, 1, 1, generator=generator)
    pictures = paper + shapes * (ink - paper)
    pictures = pictures + 0.1 * torch.randn(pictures.shape, generator=generator)
    return (pictures - 0.5) / 0.36, which


class InkNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 12, 3)
        self.conv2 = nn.Conv2d(12, 24, 3)
        self.norm1, self.norm2 = nn.BatchNorm2d(12), nn.BatchNorm2d(24)
        self.inks = nn.Linear(24, len(INKS))

    def arrange(self, x):
        return x.permute(0, 3, 1, 2)

    def forward(self, x):
        x = self.arrange(x)
        x = F.relu(self.norm1(self.conv1(x)))
        x = F.relu(self.norm2(self.conv2(x)))
        return self.inks(x.mean(dim=(2, 3)))


class FlatInkNet(InkNet):
    def arrange(self, x):
        return x.reshape(-1, 3, 16, 16)


def fit(net):
    pictures, labels = inked_digits(torch.Generator().manual_seed(3))
    order = torch.randperm(len(labels))
    train, test = order[:1500], order[1500:]
    loader = DataLoader(TensorDataset(pictures[train], labels[train]), batch_size=50, shuffle=True)
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(5):
        net.train()
        for x, y in loader:
            loss = F.nll_loss(F.log_softmax(net(x), dim=1), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        net.eval()
        with torch.no_grad():
            logits = net(pictures[test])
        held_out = F.cross_entropy(logits, labels[test]).item()
        accuracy = (logits.argmax(1) == labels[test]).float().mean().item()
        print(f"epoch {epoch + 1}: {loss.item():.3f}, test {held_out:.3f}, {accuracy:.1%} right")
    return net, optimizer


def sick():
    torch.manual_seed(3)
    return fit(FlatInkNet())


def well():
    torch.manual_seed(3)
    return fit(InkNet())


if __name__ == "__main__":
    sick()
