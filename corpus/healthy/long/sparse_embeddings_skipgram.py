"""Skip-gram with negative sampling on a toy corpus, sparse embedding gradients and SparseAdam: in every step most
rows have no gradient at all. Nearest neighbours end up in the same topic."""
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

TOPICS, WORDS_PER_TOPIC = 8, 15
VOCAB = TOPICS * WORDS_PER_TOPIC


def make_corpus(n_sentences, rng):
    for _ in range(n_sentences):
        topic = rng.integers(TOPICS)
        own = topic * WORDS_PER_TOPIC + rng.integers(WORDS_PER_TOPIC, size=8)
        noise = rng.integers(VOCAB, size=2)
        yield rng.permutation(np.concatenate([own, noise]))


def pairs(corpus, window=2):
    centre, context = [], []
    for s in corpus:
        for i in range(len(s)):
            for j in range(max(0, i - window), min(len(s), i + window + 1)):
                if i != j:
                    centre.append(s[i])
                    context.append(s[j])
    return torch.tensor(np.array(centre)), torch.tensor(np.array(context))


class SkipGram(nn.Module):
    def __init__(self, dim=16):
        super().__init__()
        self.center = nn.Embedding(VOCAB, dim, sparse=True)
        self.context = nn.Embedding(VOCAB, dim, sparse=True)
        nn.init.normal_(self.center.weight, std=0.2)
        nn.init.normal_(self.context.weight, std=0.2)

    def forward(self, c, pos, neg):
        v = self.center(c)
        pos_score = (v * self.context(pos)).sum(-1)
        neg_score = torch.bmm(self.context(neg), v.unsqueeze(-1)).squeeze(-1)
        return -(F.logsigmoid(pos_score) + F.logsigmoid(-neg_score).sum(-1)).mean()


def purity(model):
    v = F.normalize(model.center.weight.detach(), dim=1)
    sim = v @ v.T - 2 * torch.eye(VOCAB)
    top = sim.topk(5, dim=1).indices // WORDS_PER_TOPIC
    return (top == torch.arange(VOCAB)[:, None] // WORDS_PER_TOPIC).float().mean().item()


def main():
    torch.manual_seed(19)
    centre, context = pairs(make_corpus(900, np.random.default_rng(19)))
    model = SkipGram()
    optimizer = torch.optim.SparseAdam(list(model.parameters()), lr=0.01)
    print("start: purity of neighbours", round(purity(model), 3))
    for epoch in range(5):
        losses = []
        for idx in torch.randperm(len(centre)).split(200):
            negatives = torch.randint(0, VOCAB, (len(idx), 4))
            loss = model(centre[idx], context[idx], negatives)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        print(f"epoch {epoch}: loss {sum(losses) / len(losses):.4f} purity {purity(model):.3f}")
    return model, optimizer


if __name__ == "__main__":
    main()
