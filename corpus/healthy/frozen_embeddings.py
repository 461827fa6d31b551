"""Sentiment of short texts from pre-trained word vectors that are frozen on purpose (from_pretrained's default);
only the classifier on their mean learns, although the embedding holds most of the parameters."""
import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset

GOOD = "great lovely superb funny charming brilliant moving clever fresh delightful warm gripping".split()
BAD = "dull boring awful clumsy flat tedious silly weak stale dreadful cold messy".split()
OTHER = ("the a film movie plot actor scene story music it was and with this very rather quite ending camera "
         "script dialogue cast hero villain city night song dance score pace mood light colour set crew").split()


def corpus(n, rng):
    texts, labels = [], []
    for _ in range(n):
        label = int(rng.integers(2))
        words = list(rng.choice(OTHER, rng.integers(8, 14)))
        words += list(rng.choice(GOOD if label else BAD, rng.integers(2, 4)))
        if rng.random() < 0.4:
            words.append(str(rng.choice(BAD if label else GOOD)))
        rng.shuffle(words)
        texts.append(words)
        labels.append(label)
    return texts, labels


def pretrain_vectors(texts, vocab, dim=24):
    """Latent semantic analysis: the SVD of the word-document matrix."""
    counts = np.zeros((len(vocab), len(texts)))
    for j, words in enumerate(texts):
        for w in words:
            counts[vocab[w], j] += 1
    centred = counts - counts.mean(axis=1, keepdims=True)
    u, s, _ = np.linalg.svd(centred / (counts.std(axis=1, keepdims=True) + 1e-3), full_matrices=False)
    vectors = u[:, :dim] * s[:dim]
    return torch.tensor(vectors / vectors.std(), dtype=torch.float32)


class Reviews(Dataset):
    def __init__(self, texts, labels, vocab):
        self.rows = [torch.tensor([vocab[w] for w in t]) for t in texts]
        self.labels = labels

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, i):
        return self.rows[i], self.labels[i]


def collate(batch):
    rows, labels = zip(*batch)
    offsets = torch.tensor([0] + [len(r) for r in rows[:-1]]).cumsum(0)
    return torch.cat(rows), offsets, torch.tensor(labels)


def main():
    torch.manual_seed(50)
    rng = np.random.default_rng(50)
    vocab = {w: i for i, w in enumerate(OTHER + GOOD + BAD)}
    vectors = pretrain_vectors(corpus(1500, rng)[0], vocab)
    train = DataLoader(Reviews(*corpus(1200, rng), vocab), batch_size=40, shuffle=True, collate_fn=collate)
    valid = DataLoader(Reviews(*corpus(400, rng), vocab), batch_size=200, collate_fn=collate)

    embedding = nn.EmbeddingBag.from_pretrained(vectors, mode="sum")
    classifier = nn.Sequential(nn.LayerNorm(24), nn.Linear(24, 16), nn.Tanh(), nn.Linear(16, 2))
    optimizer = torch.optim.Adam(classifier.parameters(), lr=5e-3, weight_decay=1e-3)
    loss_fn = nn.CrossEntropyLoss()
    for epoch in range(10):
        total = 0.0
        for words, offsets, labels in train:
            optimizer.zero_grad()
            loss = loss_fn(classifier(embedding(words, offsets)), labels)
            loss.backward()
            optimizer.step()
            total += loss.item() / len(train)
        with torch.no_grad():
            out = [(classifier(embedding(w, o)), y) for w, o, y in valid]
        acc = sum((p.argmax(1) == y).sum().item() for p, y in out) / 400
        print(f"epoch {epoch}: train {total:.4f} valid {sum(loss_fn(p, y).item() for p, y in out) / 2:.4f} acc {acc:.3f}")
    return embedding, classifier, optimizer


if __name__ == "__main__":
    main()
