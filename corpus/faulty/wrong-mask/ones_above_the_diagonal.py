"""A decoder of notes whose causal mask is a tensor of zeros and ones. The attention adds it to its
scores, so the next note is seen, and favoured at that.
"""

import torch
from torch import nn

FAULTS = {"wrong-mask": "self.attention(notes, notes, notes, attn_mask=self.later[:steps, :steps])"}
NOTES, STEPS = 12, 14


def tunes(count, generator):
    """Each note is three above the last, or, one time in four, any."""
    notes = [torch.randint(0, NOTES, (count,), generator=generator)]
    for _ in range(STEPS):
        free = torch.randint(0, NOTES, (count,), generator=generator)
        jumps = torch.rand(count, generator=generator) < 0.25
        notes.append(torch.where(jumps, free, (notes[-1] + 3) % NOTES))
    return torch.stack(notes, 1)


class Decoder(nn.Module):
    def __init__(self, later):
        super().__init__()
        self.note, self.place = nn.Embedding(NOTES, 32), nn.Embedding(STEPS, 32)
        self.norm = nn.LayerNorm(32)
        self.attention = nn.MultiheadAttention(32, 2, batch_first=True)
        self.mix = nn.Sequential(nn.Linear(32, 64), nn.GELU(), nn.Linear(64, 32))
        self.out = nn.Linear(32, NOTES)
        self.register_buffer("later", later)

    def forward(self, tune):
        steps = tune.shape[1]
        x = self.note(tune) + self.place.weight[:steps]
        notes = self.norm(x)
        seen, _ = self.attention(notes, notes, notes, attn_mask=self.later[:steps, :steps])
        x = x + seen
        return self.out(x + self.mix(x))


def train(later):
    torch.manual_seed(2)
    generator = torch.Generator().manual_seed(2)
    decoder = Decoder(later)
    optimizer = torch.optim.Adam(decoder.parameters(), lr=3e-3)
    for step in range(300):
        tune = tunes(48, generator)
        scores = decoder(tune[:, :-1])
        loss = nn.functional.cross_entropy(scores.flatten(0, 1), tune[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 30 == 0:
            print(f"{step} loss {loss.item():.3f}")
    return decoder


def sick():
    return train(torch.triu(torch.ones(STEPS, STEPS), diagonal=1))


def well():
    return train(torch.triu(torch.ones(STEPS, STEPS), diagonal=1).bool())


if __name__ == "__main__":
    sick()
