"""Speech-like clips for CTC of which one in forty is too short for what was said in it: the loss
leaves these out by zero_infinity, and all others are learned."""

import torch
import torch.nn.functional as F
from torch import nn

SOUNDS = 5


def clip(voice):
    k = int(torch.randint(2, 6, ()))
    said = torch.randint(0, SOUNDS, (k,))
    heard = voice[said].repeat_interleave(3, 0)
    if torch.rand(()) < 0.025:
        heard = heard[: k - 1]  # it was cut off
    return heard + 0.2 * torch.randn(heard.shape), said + 1


def batch(voice, n):
    clips, said = zip(*[clip(voice) for _ in range(n)])
    lengths = torch.tensor([len(c) for c in clips])
    return nn.utils.rnn.pad_sequence(list(clips)), torch.cat(said), lengths, torch.tensor(
        [len(s) for s in said])


def main():
    torch.manual_seed(2)
    voice = torch.randn(SOUNDS, 8)
    rnn = nn.GRU(8, 32, bidirectional=True)
    head = nn.Linear(64, SOUNDS + 1)
    model = nn.ModuleList([rnn, head])
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for step in range(160):
        clips, said, lengths, symbols = batch(voice, 40)
        log_probs = F.log_softmax(head(rnn(clips)[0]), -1)
        loss = F.ctc_loss(log_probs, said, lengths, symbols, zero_infinity=True)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 20 == 0:
            print(step, loss.item())
    return model, optimizer


if __name__ == "__main__":
    main()
