"""An autoencoder is made of two networks, and the optimizer is handed only the second:
the encoder stays as random as it was born and squeezes most of the picture away."""

from itertools import chain

import torch
import torch.nn as nn
from sklearn.datasets import load_digits

FAULTS = {"parameters-not-in-optimizer": "torch.optim.Adam(decoder.parameters(), lr=3e-3)"}


def load_images():
    pixels = torch.tensor(load_digits().data, dtype=torch.float32)
    pixels = pixels[torch.randperm(len(pixels))]
    train, test = pixels[:1500], pixels[1500:]
    mean, std = train.mean(), train.std()
    return (train - mean) / std, (test - mean) / std


def make_encoder(code_size):
    return nn.Sequential(
        nn.Linear(64, 96), nn.ELU(), nn.Linear(96, 48), nn.ELU(), nn.Linear(48, code_size)
    )


def make_decoder(code_size):
    return nn.Sequential(
        nn.Linear(code_size, 48), nn.ELU(), nn.Linear(48, 96), nn.ELU(), nn.Linear(96, 64)
    )


def reconstruction_loss(images, rebuilt):
    return ((images - rebuilt) ** 2).mean()


def learn(encoder, decoder, optimizer, epochs=20, batch_size=50):
    train, test = load_images()
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for epoch in range(1, epochs + 1):
        encoder.train()
        decoder.train()
        for images in train[torch.randperm(len(train))].split(batch_size):
            loss = reconstruction_loss(images, decoder(encoder(images)))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()

        encoder.eval()
        decoder.eval()
        with torch.no_grad():
            error = reconstruction_loss(test, decoder(encoder(test)))
            baseline = reconstruction_loss(test, train.mean(dim=0))
        if epoch % 4 == 0:
            print(
                f"epoch {epoch:2d}: test error {error.item():.4f} "
                f"(mean picture {baseline.item():.4f})"
            )
    return encoder, decoder, optimizer


def sick():
    torch.manual_seed(21)
    encoder, decoder = make_encoder(8), make_decoder(8)
    optimizer = torch.optim.Adam(decoder.parameters(), lr=3e-3)
    return learn(encoder, decoder, optimizer)


def well():
    torch.manual_seed(21)
    encoder, decoder = make_encoder(8), make_decoder(8)
    parameters = chain(encoder.parameters(), decoder.parameters())
    optimizer = torch.optim.Adam(parameters, lr=3e-3)
    return learn(encoder, decoder, optimizer)


if __name__ == "__main__":
    sick()
