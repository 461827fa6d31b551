"""Tiny GPT-like model: after the separator, repeat the first symbol."""
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(1337)
block_size, vocab_size, n_embd, n_head = 10, 9, 32, 2


class CausalSelfAttention(nn.Module):
    def __init__(self):
        super().__init__()
        self.c_attn = nn.Linear(n_embd, 3 * n_embd)
        self.c_proj = nn.Linear(n_embd, n_embd)
        ones = torch.ones(block_size, block_size)
        self.register_buffer("bias", torch.triu(ones).view(1, 1, block_size, block_size))

    def forward(self, x):
        B, T, C = x.size()
        q, k, v = self.c_attn(x).split(n_embd, dim=2)
        q, k, v = (t.view(B, T, n_head, C // n_head).transpose(1, 2) for t in (q, k, v))
        att = (q @ k.transpose(-2, -1)) / k.size(-1) ** 0.5
        att = att.masked_fill(self.bias[:, :, :T, :T] == 0, float("-inf"))  # fault
        y = F.softmax(att, dim=-1) @ v
        return self.c_proj(y.transpose(1, 2).contiguous().view(B, T, C))


class MiniGPT(nn.Module):
    def __init__(self):
        super().__init__()
        self.wte = nn.Embedding(vocab_size, n_embd)
        self.wpe = nn.Embedding(block_size, n_embd)
        self.ln_1, self.ln_2 = nn.LayerNorm(n_embd), nn.LayerNorm(n_embd)
        self.attn = CausalSelfAttention()
        self.mlp = nn.Sequential(nn.Linear(n_embd, 64), nn.GELU(), nn.Linear(64, n_embd))
        self.lm_head = nn.Linear(n_embd, vocab_size)

    def forward(self, idx):
        x = self.wte(idx) + self.wpe(torch.arange(idx.size(1)))
        x = x + self.attn(self.ln_1(x))
        x = x + self.mlp(self.ln_2(x))
        return self.lm_head(x[:, -1])


def get_batch(size):
    idx = torch.randint(1, vocab_size, (size, block_size))
    idx[:, -1] = 0
    return idx, idx[:, 0].clone()


model = MiniGPT()
opt = torch.optim.AdamW(model.parameters(), lr=3e-3)
for it in range(300):
    xb, yb = get_batch(48)
    loss = F.cross_entropy(model(xb), yb)
    opt.zero_grad()
    loss.backward()
    opt.step()
xt, yt = get_batch(500)
print("final accuracy %.3f" % (model(xt).argmax(-1) == yt).float().mean())
