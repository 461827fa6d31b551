"""Transformer encoder that says which of two tokens is the more frequent in a sequence; linear warm-up.
In evaluation the encoder takes torch's fused fast path."""
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

VOCAB, LENGTH = 12, 20


class Classifier(nn.Module):
    def __init__(self, d_model: int = 32, nhead: int = 4, num_layers: int = 2):
        super().__init__()
        self.embedding = nn.Embedding(VOCAB, d_model)
        self.position = nn.Parameter(torch.randn(LENGTH, d_model) * 0.02)
        layer = nn.TransformerEncoderLayer(d_model, nhead, dim_feedforward=64, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, num_layers)
        self.classifier = nn.Linear(d_model, 2)

    def forward(self, tokens):
        hidden = self.encoder(self.embedding(tokens) + self.position)
        return self.classifier(hidden.mean(dim=1))


def make_data(n: int, seed: int) -> TensorDataset:
    gen = torch.Generator().manual_seed(seed)
    tokens = torch.randint(0, VOCAB, (4 * n, LENGTH), generator=gen)
    diff = (tokens == 3).sum(1) - (tokens == 7).sum(1)
    keep = diff.abs() >= 1
    tokens, diff = tokens[keep][:n], diff[keep][:n]
    return TensorDataset(tokens, (diff > 0).long())


@torch.inference_mode()
def accuracy(model, loader):
    model.eval()
    correct = total = 0
    for tokens, labels in loader:
        correct += (model(tokens).argmax(-1) == labels).sum().item()
        total += labels.numel()
    model.train()
    return correct / total


def main():
    torch.manual_seed(11)
    train_loader = DataLoader(make_data(1920, 1), batch_size=64, shuffle=True)
    test_loader = DataLoader(make_data(500, 2), batch_size=250)
    model = Classifier()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=1e-2)
    num_epochs, warmup = 4, 20
    total_steps = num_epochs * len(train_loader)
    scheduler = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda s: min((s + 1) / warmup, (total_steps - s) / (total_steps - warmup))
    )
    criterion = nn.CrossEntropyLoss()
    model.train()
    for epoch in range(num_epochs):
        mean_loss = 0.0
        for tokens, labels in train_loader:
            loss = criterion(model(tokens), labels)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            scheduler.step()
            mean_loss += loss.item() / len(train_loader)
        print(f"epoch={epoch} loss={mean_loss:.4f} test_acc={accuracy(model, test_loader):.3f}")
    return model, optimizer


if __name__ == "__main__":
    main()
