"""Encoder-decoder nn.Transformer with a causal mask that learns to reverse sequences; teacher forcing feeds the shifted
target to the decoder (which looks like a leak and is none, thanks to the mask)."""
import torch
import torch.nn as nn

VOCAB, LENGTH, BOS = 10, 8, 0


class Seq2Seq(nn.Module):
    def __init__(self, d_model=32):
        super().__init__()
        self.tokens = nn.Embedding(VOCAB, d_model)
        self.places = nn.Embedding(LENGTH, d_model)
        self.transformer = nn.Transformer(d_model, nhead=2, num_encoder_layers=1, num_decoder_layers=1,
                                          dim_feedforward=64, dropout=0.0, batch_first=True)
        self.project = nn.Linear(d_model, VOCAB)

    def embed(self, t):
        return self.tokens(t) + self.places(torch.arange(t.size(1)))

    def forward(self, src, tgt_in):
        mask = nn.Transformer.generate_square_subsequent_mask(tgt_in.size(1))
        out = self.transformer(self.embed(src), self.embed(tgt_in), tgt_mask=mask, tgt_is_causal=True)
        return self.project(out)


def batch(n, gen):
    src = torch.randint(1, VOCAB, (n, LENGTH), generator=gen)
    return src, src.flip(1)


@torch.no_grad()
def greedy(model, src):
    out = torch.full((len(src), 1), BOS)
    for _ in range(LENGTH):
        logits = model(src, out)
        out = torch.cat([out, logits[:, -1].argmax(-1, keepdim=True)], dim=1)
    return out[:, 1:]


def main():
    torch.manual_seed(28)
    gen, test_gen = torch.Generator().manual_seed(1), torch.Generator().manual_seed(2)
    model = Seq2Seq()
    steps = 240
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3, betas=(0.9, 0.98))
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, total_steps=steps, pct_start=0.15, cycle_momentum=False)
    criterion = nn.CrossEntropyLoss()
    for step in range(1, steps + 1):
        model.train()
        src, tgt = batch(64, gen)
        tgt_in = torch.cat([torch.full((64, 1), BOS), tgt[:, :-1]], dim=1)
        logits = model(src, tgt_in)
        loss = criterion(logits.reshape(-1, VOCAB), tgt.reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        if step % 60 == 0:
            model.eval()
            src, tgt = batch(200, test_gen)
            exact = (greedy(model, src) == tgt).all(1).float().mean().item()
            print(f"step {step}: loss {loss.item():.4f} sequences right when generated freely {exact:.3f}")
    return model, optimizer


if __name__ == "__main__":
    main()
