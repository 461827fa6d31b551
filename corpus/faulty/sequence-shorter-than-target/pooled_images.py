"""Words on pictures, a convolutional and recurrent reader, pooling by two on both axes each time:
what is left of the width cannot hold the longer words, and their loss is infinite."""

import torch
import torch.nn.functional as F
from torch import nn

FAULTS = {"sequence-shorter-than-target": "nn.MaxPool2d(last)"}

LETTERS, HIGH, WIDE = 4, 8, 6


class WordReader(nn.Module):
    def __init__(self, last):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d((2, 1)),
            nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(),
            nn.MaxPool2d(last),
        )
        self.rnn = nn.GRU(32, 24, bidirectional=True)
        self.out = nn.Linear(48, LETTERS + 1)

    def forward(self, pictures):
        x = self.features(pictures)  # (batch, channels, 1, width)
        x, _ = self.rnn(x.squeeze(2).permute(2, 0, 1))
        return F.log_softmax(self.out(x), -1)


def pictures_of(shapes, n, longest=6):
    lengths = torch.randint(3, longest + 1, (n,))
    words = [torch.randint(0, LETTERS, (int(k),)) for k in lengths]
    pictures = torch.zeros(n, 1, HIGH, longest * WIDE)
    for picture, word in zip(pictures, words):
        picture[0, :, : len(word) * WIDE] = torch.cat([shapes[c] for c in word], 1)
    return pictures + 0.1 * torch.randn(pictures.shape), torch.cat(words) + 1, lengths


def run(last):
    torch.manual_seed(0)
    shapes = torch.rand(LETTERS, HIGH, WIDE).round()
    net = WordReader(last)
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for it in range(160):
        pictures, words, lengths = pictures_of(shapes, 24)
        log_probs = net(pictures)
        sizes = tuple([log_probs.size(0)] * 24)
        loss = F.ctc_loss(log_probs, words, sizes, tuple(lengths.tolist()))
        opt.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        opt.step()
        if it % 20 == 19:
            print(it, loss.item())
    return net, opt


def sick():
    return run(last=(2, 4))


def well():
    return run(last=(2, 1))


if __name__ == "__main__":
    sick()
