"""Numbers in words are written in digits: an encoder and a decoder, each with its own optimizer."""
import random

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

WORDS = "none one two three four five six seven eight nine".split()
LETTERS = sorted(set("".join(WORDS) + " "))


def spell(number):
    text = " ".join(WORDS[int(digit)] for digit in f"{number:02d}")
    return [LETTERS.index(letter) + 1 for letter in text.ljust(11)][:11]


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.letters = nn.Embedding(len(LETTERS) + 1, 24)
        self.memory = nn.GRU(24, 64, batch_first=True)

    def forward(self, text):
        return self.memory(self.letters(text))[1]


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.digits = nn.Embedding(11, 24)
        self.memory = nn.GRU(24, 64, batch_first=True)
        self.out = nn.Linear(64, 10)

    def forward(self, state, wanted):
        token, said = torch.full((state.shape[1], 1), 10), []
        for place in range(2):
            output, state = self.memory(self.digits(token), state)
            said.append(self.out(output))
            token = wanted[:, place:place + 1] if random.random() < 0.5 else said[-1].argmax(-1)
        return torch.cat(said, 1)


def main():
    torch.manual_seed(0)
    random.seed(0)
    numbers = torch.randint(0, 100, (1500,))
    text = torch.tensor([spell(int(number)) for number in numbers])
    digits = torch.stack([numbers // 10, numbers % 10], 1)
    loader = DataLoader(TensorDataset(text[:1200], digits[:1200]), batch_size=50, shuffle=True)
    encoder, decoder = Encoder(), Decoder()
    reading = torch.optim.Adam(encoder.parameters(), lr=5e-3)
    writing = torch.optim.Adam(decoder.parameters(), lr=5e-3)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(8):
        for given, wanted in loader:
            reading.zero_grad()
            writing.zero_grad()
            said = decoder(encoder(given), wanted)
            loss = criterion(said.view(-1, 10), wanted.view(-1))
            loss.backward()
            reading.step()
            writing.step()
        with torch.no_grad():
            said = decoder(encoder(text[1200:]), digits[1200:]).argmax(-1)
        print(epoch, round(loss.item(), 4), (said == digits[1200:]).all(1).float().mean().item())
    return encoder, decoder, reading, writing


if __name__ == "__main__":
    main()
