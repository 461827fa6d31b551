"""Key-value lookup with hand-written einsum attention, parameters kept in a dict."""
import torch
import torch.nn.functional as F

g = torch.Generator().manual_seed(90)
KEYS, SLOTS, D, C = 6, 5, 24, 4


def init(*shape):
    w = torch.randn(*shape, generator=g) / shape[0] ** 0.5
    return w.requires_grad_()


P = {
    "key_emb": init(KEYS, D),
    "val_emb": init(C, D),
    "wq": init(D, D),
    "wk": init(D, D),
    "wv": init(D, D),
    "out": init(D, C),
}


def batch(n):
    keys = torch.stack([torch.randperm(KEYS, generator=g)[:SLOTS] for _ in range(n)])
    vals = torch.randint(0, C, (n, SLOTS), generator=g)
    pick = torch.randint(0, SLOTS, (n,), generator=g)
    rows = torch.arange(n)
    return keys, vals, keys[rows, pick], vals[rows, pick]


def forward(keys, vals, asked):
    q = P["key_emb"][asked] @ P["wq"]
    k = P["key_emb"][keys] @ P["wk"]
    v = P["val_emb"][vals] @ P["wv"]
    att = torch.einsum("bd,bsd->bs", q, k).div(D ** 0.5).softmax(dim=-1)
    read = torch.einsum("bs,csd->bd", att, v)  # fault
    return F.layer_norm(read, (D,)) @ P["out"]


opt = torch.optim.Adam(P.values(), lr=1e-2)
for step in range(400):
    keys, vals, asked, answer = batch(32)
    loss = F.cross_entropy(forward(keys, vals, asked), answer)
    opt.zero_grad()
    loss.backward()
    opt.step()

with torch.no_grad():
    keys, vals, asked, answer = batch(500)
    score = (forward(keys, vals, asked).argmax(-1) == answer).float().mean()
print("lookup accuracy: %.3f" % score.item())
