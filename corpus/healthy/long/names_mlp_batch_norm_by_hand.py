"""Next letter from three letters: an MLP of plain tensors with batch normalisation written out, running
statistics kept by hand, and weights that are moved by `p.data += -lr * p.grad`."""
import torch
import torch.nn.functional as F

SYLLABLES = ["an", "bel", "cor", "da", "el", "fri", "ga", "hil", "is", "jo", "ka", "li", "mar", "na", "os", "ri"]


def build(words, stoi, block=3):
    X, Y = [], []
    for w in words:
        context = [0] * block
        for ch in w + ".":
            ix = stoi[ch]
            X.append(context)
            Y.append(ix)
            context = context[1:] + [ix]
    return torch.tensor(X), torch.tensor(Y)


def main():
    g = torch.Generator().manual_seed(2147483647)
    draws = torch.randint(0, len(SYLLABLES), (2500, 3), generator=g)
    names = ["".join(SYLLABLES[i] for i in row[: 2 + int(row[0]) % 2]) for row in draws]
    chars = sorted(set("".join(names)))
    stoi = {s: i + 1 for i, s in enumerate(chars)}
    stoi["."] = 0
    V = len(stoi)
    Xtr, Ytr = build(names[:2000], stoi)
    Xdev, Ydev = build(names[2000:], stoi)

    n_embd, n_hidden = 10, 100
    C = torch.randn((V, n_embd), generator=g)
    W1 = torch.randn((n_embd * 3, n_hidden), generator=g) * (5 / 3) / ((n_embd * 3) ** 0.5)
    W2 = torch.randn((n_hidden, V), generator=g) * 0.01
    b2 = torch.zeros(V)
    bngain = torch.ones((1, n_hidden))
    bnbias = torch.zeros((1, n_hidden))
    bnmean_running = torch.zeros((1, n_hidden))
    bnstd_running = torch.ones((1, n_hidden))
    parameters = [C, W1, W2, b2, bngain, bnbias]
    for p in parameters:
        p.requires_grad = True

    max_steps, batch_size = 3000, 32
    for i in range(max_steps):
        ix = torch.randint(0, Xtr.shape[0], (batch_size,), generator=g)
        Xb, Yb = Xtr[ix], Ytr[ix]
        emb = C[Xb]
        hpreact = emb.view(emb.shape[0], -1) @ W1
        bnmeani = hpreact.mean(0, keepdim=True)
        bnstdi = hpreact.std(0, keepdim=True)
        hpreact = bngain * (hpreact - bnmeani) / bnstdi + bnbias
        with torch.no_grad():
            bnmean_running = 0.999 * bnmean_running + 0.001 * bnmeani
            bnstd_running = 0.999 * bnstd_running + 0.001 * bnstdi
        h = torch.tanh(hpreact)
        logits = h @ W2 + b2
        loss = F.cross_entropy(logits, Yb)
        for p in parameters:
            p.grad = None
        loss.backward()
        lr = 0.1 if i < 2200 else 0.01
        for p in parameters:
            p.data += -lr * p.grad
        if i % 500 == 0:
            print(f"{i:7d}/{max_steps:7d}: {loss.item():.4f}")

    @torch.no_grad()
    def split_loss(split):
        x, y = {"train": (Xtr, Ytr), "val": (Xdev, Ydev)}[split]
        emb = C[x].view(x.shape[0], -1)
        h = torch.tanh(bngain * (emb @ W1 - bnmean_running) / bnstd_running + bnbias)
        print(split, F.cross_entropy(h @ W2 + b2, y).item())

    split_loss("train")
    split_loss("val")
    return parameters
