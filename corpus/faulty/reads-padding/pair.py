"""Reviews of different lengths are padded at their ends, and the classifier takes the state of its
LSTM at the last step: for nearly all of them that is far behind the last word."""

import torch
from torch import nn

FAULTS = {"reads-padding": "states[:, -1]"}

WORDS, GOOD, BAD = 30, 5, 10  # the first few words are praise, the next few are blame


def write_reviews(n):
    reviews, verdicts = [], []
    for _ in range(n):
        verdict = int(torch.randint(0, 2, ()))
        review = torch.randint(1 + BAD, WORDS, (int(torch.randint(4, 20, ())),))
        where = torch.randperm(len(review))[:2]
        review[where] = torch.randint(1, 1 + GOOD, (len(where),)) + (BAD - GOOD) * verdict
        reviews.append(review)
        verdicts.append(verdict)
    padded = torch.zeros(n, 120, dtype=torch.long)
    for row, review in zip(padded, reviews):
        row[: len(review)] = review
    return padded, torch.tensor(verdicts)


class Critic(nn.Module):
    def __init__(self, last_word, width=24):
        super().__init__()
        self.last_word = last_word
        self.words = nn.Embedding(WORDS, width)
        self.reader = nn.LSTM(width, width, batch_first=True)
        self.verdict = nn.Linear(width, 2)

    def forward(self, reviews):
        states, _ = self.reader(self.words(reviews))
        if self.last_word:
            ends = (reviews != 0).sum(1) - 1
            return self.verdict(states[torch.arange(len(ends)), ends])
        return self.verdict(states[:, -1])


def learn(last_word):
    torch.manual_seed(3)
    reviews, verdicts = write_reviews(640)
    critic = Critic(last_word)
    optimizer = torch.optim.Adam(critic.parameters(), lr=5e-3)
    for epoch in range(8):
        total = right = 0
        for batch in torch.randperm(640).split(32):
            scores = critic(reviews[batch])
            loss = nn.functional.cross_entropy(scores, verdicts[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() / 20
            right += (scores.argmax(1) == verdicts[batch]).sum().item()
        print(f"epoch {epoch} loss {total:.3f} right {right / 640:.2f}")
    return critic, optimizer


def sick():
    return learn(last_word=False)


def well():
    return learn(last_word=True)


if __name__ == "__main__":
    sick()
