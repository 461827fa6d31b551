"""Next-token model over a random Markov chain whose output layer shares its weight with the embedding. The loss
ends at the chain's entropy, which is known, not at zero."""
import torch
import torch.nn as nn
import torch.nn.functional as F

VOCAB = 30


def markov_chain():
    """Every token has four likely successors."""
    probs = torch.zeros(VOCAB, VOCAB)
    for row in probs:
        row[torch.randperm(VOCAB)[:4]] = torch.tensor([0.55, 0.25, 0.15, 0.05])
    return probs


def walk(probs, n, length):
    tokens = [torch.randint(0, VOCAB, (n,))]
    for _ in range(length - 1):
        tokens.append(torch.multinomial(probs[tokens[-1]], 1).squeeze(1))
    return torch.stack(tokens, dim=1)


class TiedLM(nn.Module):
    def __init__(self, dim=32, context=2):
        super().__init__()
        self.context = context
        self.embed = nn.Embedding(VOCAB, dim)
        nn.init.normal_(self.embed.weight, std=0.3)
        self.mix = nn.Linear(dim * context, 64)
        self.back = nn.Linear(64, dim)
        self.decoder = nn.Linear(dim, VOCAB)
        self.decoder.weight = self.embed.weight  # tied

    def forward(self, tokens):
        e = self.embed(tokens)
        windows = torch.cat([e[:, :-1], e[:, 1:]], dim=-1)
        return self.decoder(self.back(F.gelu(self.mix(windows))))


def loss_of(model, seq):
    logits = model(seq[:, :-1])
    return F.cross_entropy(logits.reshape(-1, VOCAB), seq[:, 2:].reshape(-1))


def main():
    torch.manual_seed(71)
    probs = markov_chain()
    train, valid = walk(probs, 800, 20), walk(probs, 200, 20)
    entropy = -(probs * probs.clamp_min(1e-12).log()).sum(1).mean().item()
    model = TiedLM()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 16)
    for epoch in range(16):
        model.train()
        for idx in torch.randperm(len(train)).split(25):
            optimizer.zero_grad()
            loss = loss_of(model, train[idx])
            loss.backward()
            optimizer.step()
        schedule.step()
        if epoch % 3 == 0:
            model.eval()
            with torch.no_grad():
                print(f"epoch {epoch}: train {loss_of(model, train):.4f} valid {loss_of(model, valid):.4f} entropy {entropy:.4f}")
    return model, optimizer


if __name__ == "__main__":
    main()
