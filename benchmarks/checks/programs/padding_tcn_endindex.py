"""Causal convolution stack over byte-like commands, read at the end of each command."""
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(29)
PAD, VOCAB, MAXLEN = 0, 25, 48


def commands(n):
    tok = torch.full((n, MAXLEN), PAD)
    y = torch.randint(0, 4, (n,))
    for i in range(n):
        k = int(torch.randint(4, 13, (1,)))
        tok[i, :k] = torch.randint(5, VOCAB, (k,))
        tok[i, int(torch.randint(k - 4, k, (1,)))] = 1 + y[i]
    return tok, y


class CausalConv(nn.Module):
    def __init__(self, ch, dilation):
        super().__init__()
        self.pad = 2 * dilation
        self.conv = nn.Conv1d(ch, ch, 3, dilation=dilation)

    def forward(self, x):
        return x + F.gelu(self.conv(F.pad(x, (self.pad, 0))))


class TCN(nn.Module):
    def __init__(self, ch=32):
        super().__init__()
        self.emb = nn.Embedding(VOCAB, ch)
        self.blocks = nn.Sequential(CausalConv(ch, 1), CausalConv(ch, 2), CausalConv(ch, 4))
        self.fc = nn.Linear(ch, 4)

    def forward(self, tok):
        h = self.blocks(self.emb(tok).transpose(1, 2)).transpose(1, 2)
        end = tok.eq(PAD).sum(dim=1) - 1
        final = h[torch.arange(tok.size(0)), end]  # fault
        return self.fc(final)


tok, y = commands(1000)
net = TCN()
optim = torch.optim.AdamW(net.parameters(), lr=2e-3)
for step in range(250):
    pick = torch.randint(0, 800, (40,))
    loss = F.cross_entropy(net(tok[pick]), y[pick])
    optim.zero_grad()
    loss.backward()
    optim.step()
print("held-out accuracy:", (net(tok[800:]).argmax(-1) == y[800:]).float().mean().item())
