"""A masked autoencoder: three quarters of a digit's patches are hidden, an encoder sees the others, a light
decoder with a mask token fills the gaps, and only hidden patches count in the loss."""
import torch
from sklearn.datasets import load_digits
from torch import nn

PATCHES, PATCH, DIM = 16, 4, 48


def patchify(images):
    b = images.shape[0]
    return images.reshape(b, 4, 2, 4, 2).permute(0, 1, 3, 2, 4).reshape(b, PATCHES, PATCH)


class Block(nn.Module):
    def __init__(self, d, heads=4):
        super().__init__()
        self.n1, self.n2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.attn = nn.MultiheadAttention(d, heads, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(d, 2 * d), nn.GELU(), nn.Linear(2 * d, d))

    def forward(self, x):
        h = self.n1(x)
        x = x + self.attn(h, h, h, need_weights=False)[0]
        return x + self.mlp(self.n2(x))


class MaskedAutoencoder(nn.Module):
    def __init__(self, keep=6):
        super().__init__()
        self.keep = keep
        self.embed = nn.Linear(PATCH, DIM)
        self.pos = nn.Parameter(torch.randn(1, PATCHES, DIM) * 0.02)
        self.encoder = nn.Sequential(Block(DIM), Block(DIM), nn.LayerNorm(DIM))
        self.to_decoder = nn.Linear(DIM, 32)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, 32))
        self.decoder_pos = nn.Parameter(torch.randn(1, PATCHES, 32) * 0.02)
        self.decoder = Block(32)
        self.head = nn.Linear(32, PATCH)

    def forward(self, patches):
        b = patches.shape[0]
        order = torch.rand(b, PATCHES).argsort(1)
        kept, restore = order[:, :self.keep], order.argsort(1)
        x = self.embed(patches) + self.pos
        x = x.gather(1, kept[..., None].expand(-1, -1, DIM))
        x = self.to_decoder(self.encoder(x))
        x = torch.cat([x, self.mask_token.expand(b, PATCHES - self.keep, -1)], 1)
        x = x.gather(1, restore[..., None].expand(-1, -1, 32)) + self.decoder_pos
        pred = self.head(self.decoder(x))
        mask = torch.ones(b, PATCHES)
        mask[:, :self.keep] = 0
        mask = mask.gather(1, restore)
        loss = (((pred - patches) ** 2).mean(-1) * mask).sum() / mask.sum()
        return loss, pred, mask


def main():
    torch.manual_seed(6)
    images = torch.tensor(load_digits().images, dtype=torch.float32)
    patches = patchify((images - images.mean()) / images.std())
    train, held = patches[:1500], patches[1500:]
    model = MaskedAutoencoder()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1.5e-3, weight_decay=0.05)
    for epoch in range(12):
        model.train()
        total = 0.0
        for idx in torch.randperm(len(train)).split(64):
            loss, _, _ = model(train[idx])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(idx)
        model.eval()
        with torch.no_grad():
            val = model(held)[0].item()
        if epoch % 3 == 2:
            print(f"epoch {epoch + 1} train {total / len(train):.3f} held-out {val:.3f}")
    return model, optimizer
