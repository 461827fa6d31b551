"""A one-block encoder with a summary token for padded token lists."""
import torch
from torch import nn

torch.manual_seed(71)
T = 18
n = 800
lengths = torch.randint(5, 15, (n,))
label = torch.randint(0, 2, (n,))
tokens = torch.randint(3, 40, (n, T))
where = (torch.rand(n) * lengths).long()
tokens[torch.arange(n), where] = 1 + label
valid = torch.arange(T) < lengths[:, None]
tokens[~valid] = 0


class Encoder(nn.Module):
    def __init__(self, d=32, heads=4):
        super().__init__()
        self.embed = nn.Embedding(40, d)
        self.cls = nn.Parameter(torch.randn(1, 1, d) * 0.1)
        self.attn = nn.MultiheadAttention(d, heads, batch_first=True)
        self.ln1, self.ln2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.ff = nn.Sequential(nn.Linear(d, 2 * d), nn.ReLU(), nn.Linear(2 * d, d))
        self.out = nn.Linear(d, 2)

    def forward(self, tokens, valid):
        x = self.ln1(self.embed(tokens))
        q = self.cls.expand(len(x), -1, -1)
        mixed, _ = self.attn(q, x, x, key_padding_mask=valid)  # fault
        h = q + mixed
        h = h + self.ff(self.ln2(h))
        return self.out(h[:, 0])


if __name__ == "__main__":
    enc = Encoder()
    opt = torch.optim.Adam(enc.parameters(), lr=2e-3)
    for epoch in range(12):
        order = torch.randperm(600)
        for i in range(0, 600, 30):
            j = order[i:i + 30]
            loss = nn.functional.cross_entropy(enc(tokens[j], valid[j]), label[j])
            opt.zero_grad(set_to_none=True)
            loss.backward()
            opt.step()
    enc.eval()
    hits = enc(tokens[600:], valid[600:]).argmax(1).eq(label[600:])
    print("acc", hits.float().mean().item())
