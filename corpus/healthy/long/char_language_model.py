"""Character-level GRU language model on sentences from a tiny grammar. The loss levels off far above zero:
that is the entropy of the random word choices, and train and held-out loss meet there."""
import random

import torch
import torch.nn as nn
import torch.nn.functional as F

ADJ = "small red old quick lazy bright quiet round cold green".split()
NOUN = "fox dog boat stone river child cloud horse lamp tree".split()
VERB = "sees likes finds paints follows carries hears moves".split()


def sentence(rng):
    s = f"the {rng.choice(ADJ)} {rng.choice(NOUN)} {rng.choice(VERB)} a {rng.choice(ADJ)} {rng.choice(NOUN)}"
    if rng.random() < 0.4:
        s += f" and the {rng.choice(NOUN)}"
    return s + ". "


class CharRNN(nn.Module):
    def __init__(self, n_chars, n_hidden=64):
        super().__init__()
        self.emb = nn.Embedding(n_chars, 16)
        self.rnn = nn.GRU(16, n_hidden, batch_first=True)
        self.out = nn.Linear(n_hidden, n_chars)

    def forward(self, x, h=None):
        y, h = self.rnn(self.emb(x), h)
        return self.out(y), h


def get_batch(data, batch_size=24, block=40):
    ix = torch.randint(len(data) - block - 1, (batch_size,))
    x = torch.stack([data[i:i + block] for i in ix])
    y = torch.stack([data[i + 1:i + block + 1] for i in ix])
    return x, y


@torch.no_grad()
def sample(model, stoi, itos, n=60):
    model.eval()
    x, h, text = torch.tensor([[stoi["t"]]]), None, "t"
    for _ in range(n):
        logits, h = model(x, h)
        x = torch.multinomial(logits[:, -1].softmax(-1), 1)
        text += itos[x.item()]
    model.train()
    return text


def main():
    torch.manual_seed(1337)
    rng = random.Random(5)
    text = "".join(sentence(rng) for _ in range(1500))
    chars = sorted(set(text))
    stoi = {c: i for i, c in enumerate(chars)}
    data = torch.tensor([stoi[c] for c in text])
    n = int(0.9 * len(data))
    train_data, val_data = data[:n], data[n:]

    model = CharRNN(len(chars))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    max_iters = 260
    for it in range(max_iters):
        if it == 180:
            optimizer.param_groups[0]["lr"] = 2e-3
        xb, yb = get_batch(train_data)
        logits, _ = model(xb)
        loss = F.cross_entropy(logits.flatten(0, 1), yb.flatten())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        if it % 60 == 0 or it == max_iters - 1:
            model.eval()
            with torch.no_grad():
                xv, yv = get_batch(val_data, 32)
                val = F.cross_entropy(model(xv)[0].flatten(0, 1), yv.flatten())
            model.train()
            print(f"iter {it}: train {loss.item():.3f} val {val.item():.3f}")
    print(sample(model, stoi, chars))
    return model, optimizer


if __name__ == "__main__":
    main()
