"""Bag-of-embeddings sentiment toy with a tokenizer-like attention_mask."""
import numpy as np
import torch
import torch.nn as nn

rng = np.random.default_rng(5)
torch.manual_seed(5)


def fake_tokenizer(n, max_len=20):
    ids = np.zeros((n, max_len), dtype=np.int64)
    attention_mask = np.zeros_like(ids)
    labels = rng.integers(0, 2, n)
    for i in range(n):
        k = rng.integers(6, max_len + 1)
        mood = rng.random(k) < 0.5
        ids[i, :k] = np.where(mood, rng.integers(1, 15, k) + 15 * labels[i], rng.integers(31, 60, k))
        attention_mask[i, :k] = 1
    return {
        "input_ids": torch.from_numpy(ids),
        "attention_mask": torch.from_numpy(attention_mask),
        "labels": torch.from_numpy(labels),
    }


class MeanPooler(nn.Module):
    def __init__(self, vocab=60, dim=16):
        super().__init__()
        self.embeddings = nn.Embedding(vocab, dim)
        self.dense = nn.Linear(dim, dim)
        self.classifier = nn.Linear(dim, 2)

    def forward(self, input_ids, attention_mask):
        hidden = torch.relu(self.dense(self.embeddings(input_ids)))
        ignore = (~attention_mask).bool()
        hidden = hidden.masked_fill(ignore.unsqueeze(-1), 0.0)  # fault
        pooled = hidden.sum(1) / attention_mask.sum(1, keepdim=True)
        return self.classifier(pooled)


train, test = fake_tokenizer(640), fake_tokenizer(200)
model = MeanPooler()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
criterion = nn.CrossEntropyLoss()
for epoch in range(10):
    for rows in torch.randperm(640).split(32):
        logits = model(train["input_ids"][rows], train["attention_mask"][rows])
        loss = criterion(logits, train["labels"][rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

model.eval()
with torch.no_grad():
    guess = model(test["input_ids"], test["attention_mask"]).argmax(-1)
print("test acc:", (guess == test["labels"]).float().mean().item())
