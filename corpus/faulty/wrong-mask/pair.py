"""Sentences of different lengths go through a transformer encoder. Its padding mask is True where
there is a word, but the encoder takes True for what it must not look at."""

import torch
from torch import nn

FAULTS = {"wrong-mask": "self.encoder(x, src_key_padding_mask=hidden)"}

WORDS, TOPICS, LONGEST = 24, 4, 18


def write(n):
    words = torch.zeros(n, LONGEST, dtype=torch.long)
    words[:, 0] = 1  # the start of a sentence
    topics = torch.randint(0, TOPICS, (n,))
    for sentence, topic in zip(words, topics.tolist()):
        k = int(torch.randint(5, LONGEST, ()))
        sentence[1:k] = torch.randint(2 + TOPICS, WORDS, (k - 1,))
        sentence[1 + int(torch.randint(0, k - 1, ()))] = 2 + topic
    return words, topics


class Topics(nn.Module):
    def __init__(self, hides_padding, width=32):
        super().__init__()
        self.hides_padding = hides_padding
        self.embed = nn.Embedding(WORDS, width)
        self.encoder = nn.TransformerEncoderLayer(width, 4, 64, dropout=0.0, batch_first=True)
        self.out = nn.Linear(width, TOPICS)

    def forward(self, words):
        x = self.embed(words)
        hidden = words == 0 if self.hides_padding else words != 0
        x = self.encoder(x, src_key_padding_mask=hidden)
        return self.out(x[:, 0])


def learn(hides_padding):
    torch.manual_seed(0)
    words, topics = write(640)
    model = Topics(hides_padding)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(8):
        right = 0
        for rows in torch.randperm(640).split(32):
            scores = model(words[rows])
            loss = nn.functional.cross_entropy(scores, topics[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            right += (scores.argmax(1) == topics[rows]).sum().item()
        print(f"epoch {epoch} loss {loss.item():.3f} right {right / 640:.2f}")
    return model, optimizer


def sick():
    return learn(hides_padding=False)


def well():
    return learn(hides_padding=True)


if __name__ == "__main__":
    sick()
