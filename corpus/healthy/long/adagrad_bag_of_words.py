"""Linear bag-of-words classifier with Adagrad: most of the 200 word counts of a text are zero, rare words are zero
nearly always, and the step sizes shrink for ever."""
import random
from collections import Counter

import torch
import torch.nn as nn

TOPICS = {
    "sport": "team goal match coach player season league win score ball race medal".split(),
    "food": "bread soup salt oven recipe taste sugar dinner spice kitchen cheese fruit".split(),
    "space": "orbit planet star rocket moon launch probe comet galaxy solar crew dust".split(),
    "money": "bank loan price market share tax profit trade debt budget stock cash".split(),
}
COMMON = "the of and to in a is that it was for on are with as his they at be this from have or by one had not but".split()
RARE = [f"name{i}" for i in range(120)]


def document(topic, rng):
    words = rng.choices(COMMON, k=20) + rng.choices(TOPICS[topic], k=rng.randint(2, 6)) + rng.choices(RARE, k=3)
    for other in rng.sample(sorted(TOPICS), 2):
        words += rng.choices(TOPICS[other], k=1)
    return words


def vectorise(docs, vocab):
    X = torch.zeros(len(docs), len(vocab))
    for i, words in enumerate(docs):
        for w, c in Counter(words).items():
            X[i, vocab[w]] = 1 + torch.log(torch.tensor(float(c)))
    idf = torch.log((1 + len(docs)) / (1 + (X > 0).sum(0))) + 1
    return X, idf


def main():
    torch.manual_seed(5)
    rng = random.Random(5)
    names = sorted(TOPICS)
    labels = [rng.randrange(4) for _ in range(1400)]
    docs = [document(names[k], rng) for k in labels]
    vocab = {w: i for i, w in enumerate(COMMON + sum(TOPICS.values(), []) + RARE)}
    X_tr, idf = vectorise(docs[:1000], vocab)
    X_te, _ = vectorise(docs[1000:], vocab)
    X_tr, X_te = (nn.functional.normalize(X * idf, dim=1) * 4 for X in (X_tr, X_te))
    y = torch.tensor(labels)
    y_tr, y_te = y[:1000], y[1000:]

    clf = nn.Linear(len(vocab), 4)
    optimizer = torch.optim.Adagrad(clf.parameters(), lr=0.1, weight_decay=3e-3)
    loss_fn = nn.CrossEntropyLoss()
    for epoch in range(1, 13):
        for b in torch.randperm(1000).split(25):
            optimizer.zero_grad()
            loss = loss_fn(clf(X_tr[b]), y_tr[b])
            loss.backward()
            optimizer.step()
        if epoch % 3 == 0:
            with torch.no_grad():
                test = clf(X_te)
                print(epoch, f"train {loss_fn(clf(X_tr), y_tr):.4f} test {loss_fn(test, y_te):.4f}",
                      f"acc {(test.argmax(1) == y_te).float().mean():.3f}")
    return clf, optimizer


if __name__ == "__main__":
    main()
