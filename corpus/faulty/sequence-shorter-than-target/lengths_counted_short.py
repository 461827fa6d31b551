"""The program divides the lengths of its sound clips by eight for the loss, as its older network
did. This one divides them by two only, so the loss hears the first quarter of each clip."""

import torch
from torch import nn
from torch.nn import functional as F

FAULTS = {"sequence-shorter-than-target": "criterion(y.transpose(0, 1), targets, frames, symbols)"}

PHONES = 6


def speak(voice, n):
    long = torch.randint(4, 7, (n,))
    clips, said = [], []
    for k in long.tolist():
        phones = torch.randint(0, PHONES, (k,))
        clips.append(voice[phones].repeat_interleave(4, 0) + 0.3 * torch.randn(4 * k, 8))
        said.append(phones + 1)
    lengths = torch.tensor([len(clip) for clip in clips])
    return (
        nn.utils.rnn.pad_sequence(clips, batch_first=True),
        nn.utils.rnn.pad_sequence(said, batch_first=True),
        lengths,
        long,
    )


class Listener(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(8, 32, 3, stride=2, padding=1)
        self.lstm = nn.LSTM(32, 32, batch_first=True, bidirectional=True)
        self.classes = nn.Linear(64, PHONES + 1)

    def forward(self, clips):
        h = F.relu(self.conv(clips.transpose(1, 2))).transpose(1, 2)
        h, _ = self.lstm(h)
        return self.classes(h).log_softmax(-1)


def main(shrinks):
    torch.manual_seed(8)
    voice = torch.randn(PHONES, 8)
    listener = Listener()
    optimizer = torch.optim.AdamW(listener.parameters(), 4e-3)
    criterion = nn.CTCLoss(blank=0, zero_infinity=True)
    for epoch in range(10):
        total = 0.0
        for _ in range(20):
            clips, targets, lengths, symbols = speak(voice, 32)
            y = listener(clips)
            frames = lengths // shrinks
            loss = criterion(y.transpose(0, 1), targets, frames, symbols)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            total += loss.item() / 20
        print(f"epoch {epoch}: {total:.3f}")
    return listener, optimizer


def sick():
    return main(8)


def well():
    return main(2)


if __name__ == "__main__":
    sick()
