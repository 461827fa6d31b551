"""Writes the logs beside it with the tools themselves: python make.py [TOOL…]

Made with keras 3.15 on torch, lightning 2.6, transformers 5.23, tensorboard 2.21, wandb 0.31,
mlflow-skinny 3.17 and tqdm 4.70, none of which the tests need.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

HERE = Path(__file__).parent


def data(n: int = 320) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    x = torch.randn(n, 8)
    return x, ((x[:, 0] + x[:, 1] * x[:, 2] + 0.3 * torch.randn(n)) > 0).long()


def trained(epochs: int = 40, rate: float = 0.1):
    """A loop by hand: epoch, step, train loss, held-out loss, held-out accuracy, rate."""
    x, y = data()
    model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 20, 0.1)
    step = 0
    for epoch in range(epochs):
        losses = []
        for batch in torch.randperm(256).split(32):
            loss = nn.functional.cross_entropy(model(x[batch]), y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            step += 1
        with torch.no_grad():
            out = model(x[256:])
        yield (epoch, step, losses, nn.functional.cross_entropy(out, y[256:]).item(),
               (out.argmax(1) == y[256:]).float().mean().item(), schedule.get_last_lr()[0])
        schedule.step()


def keras() -> None:
    import keras

    x, y = (part.numpy() for part in data())
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.layers.Dense(32, "relu"), keras.layers.Dense(2)])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True),
                  metrics=["accuracy"])
    console = io.StringIO()
    (HERE / "keras_csv_logger.csv").unlink(missing_ok=True)
    with contextlib.redirect_stdout(console):
        history = model.fit(x, y, epochs=40, validation_split=0.2, callbacks=[
            keras.callbacks.CSVLogger(str(HERE / "keras_csv_logger.csv")),
            keras.callbacks.ReduceLROnPlateau(patience=3)])
    write("keras_console.txt", console.getvalue())
    with contextlib.redirect_stdout(io.StringIO()) as console:
        model.fit(x, y, epochs=35, validation_split=0.2, verbose=2)
    write("keras_console_verbose_2.txt", console.getvalue())
    numbers = {name: [float(v) for v in values] for name, values in history.history.items()}
    write("keras_history.json", json.dumps(numbers))


def lightning() -> None:
    import lightning as pl
    from lightning.pytorch.loggers import CSVLogger

    class Net(pl.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 2))

        def training_step(self, batch, _):
            loss = nn.functional.cross_entropy(self.net(batch[0]), batch[1])
            self.log("train_loss", loss, on_step=True, on_epoch=True)
            return loss

        def validation_step(self, batch, _):
            out = self.net(batch[0])
            self.log("val_loss", nn.functional.cross_entropy(out, batch[1]))
            self.log("val_acc", (out.argmax(1) == batch[1]).float().mean())

        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters(), lr=0.01)

    x, y = data()
    parts = TensorDataset(x[:256], y[:256]), TensorDataset(x[256:], y[256:])
    folder = tempfile.mkdtemp()
    monitor = pl.pytorch.callbacks.LearningRateMonitor()
    trainer = pl.Trainer(
        max_epochs=20, logger=CSVLogger(folder), log_every_n_steps=4, callbacks=[monitor],
        enable_progress_bar=False, accelerator="cpu", enable_checkpointing=False)
    trainer.fit(Net(), DataLoader(parts[0], 16, shuffle=True), DataLoader(parts[1], 64))
    shutil.copy(Path(trainer.logger.log_dir) / "metrics.csv", HERE / "lightning_metrics.csv")


def transformers() -> None:
    from transformers import Trainer, TrainingArguments

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 2))

        def forward(self, x, labels):
            out = self.net(x)
            return {"loss": nn.functional.cross_entropy(out, labels), "logits": out}

    x, y = data()
    rows = [{"x": a, "labels": b} for a, b in zip(x, y, strict=True)]
    folder = tempfile.mkdtemp()
    console = io.StringIO()
    with contextlib.redirect_stdout(console):
        trainer = Trainer(Net(), TrainingArguments(
            folder, num_train_epochs=20, per_device_train_batch_size=16, learning_rate=0.01,
            logging_steps=5, eval_strategy="epoch", save_strategy="no", report_to=[],
            disable_tqdm=True, use_cpu=True), train_dataset=rows[:256], eval_dataset=rows[256:])
        trainer.train()
    trainer.state.save_to_json(str(HERE / "trainer_state.json"))
    write("transformers_console.txt", console.getvalue())


def tensorboard() -> None:
    from torch.utils.tensorboard import SummaryWriter

    folder = HERE / "tensorboard"
    shutil.rmtree(folder, ignore_errors=True)
    with SummaryWriter(str(folder)) as writer:
        step = 0
        for epoch, _, losses, held, accuracy, rate in trained(20):
            for loss in losses:
                step += 1
                writer.add_scalar("Loss/train", loss, step)
            writer.add_scalar("Loss/val", held, step)
            writer.add_scalar("Accuracy/val", accuracy, step)
            writer.add_scalar("lr", rate, step)
            writer.add_text("note", f"epoch {epoch}", step)
    (event_file,) = folder.iterdir()
    event_file.rename(folder / "events.out.tfevents.1700000000.host.1.0")


def wandb() -> None:
    import wandb as wb

    folder = tempfile.mkdtemp()
    run = wb.init(project="p", dir=folder, mode="offline", settings=wb.Settings(
        x_disable_stats=True, x_disable_meta=True, save_code=False, disable_git=True,
        console="off", host="host", username="user", email="user@example.org"))
    for epoch, step, losses, held, accuracy, rate in trained(40):
        run.log({"epoch": epoch, "train/loss": sum(losses) / len(losses), "lr": rate}, step=step)
        if epoch % 2:
            run.log({"val": {"loss": held, "accuracy": accuracy}}, step=step)
    run.finish()
    (file,) = Path(folder).rglob("*.wandb")
    shutil.copy(file, HERE / "offline.wandb")


def mlflow() -> None:
    import mlflow as ml

    folder = Path(tempfile.mkdtemp())
    os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
    ml.set_tracking_uri(folder.as_uri())
    ml.set_experiment("curves")
    with ml.start_run() as run:
        for epoch, _, losses, held, accuracy, rate in trained(40):
            ml.log_metric("train_loss", sum(losses) / len(losses), step=epoch)
            ml.log_metric("val/loss", held, step=epoch)
            ml.log_metric("val/accuracy", accuracy, step=epoch)
            ml.log_metric("learning_rate", rate, step=epoch)
    shutil.rmtree(HERE / "mlruns", ignore_errors=True)
    (metrics,) = folder.rglob("metrics")
    shutil.copytree(metrics, HERE / "mlruns" / "0" / run.info.run_id / "metrics")


def tqdm() -> None:
    from tqdm import tqdm as bar

    console = io.StringIO()
    for epoch, _, losses, held, _, _ in trained(40):
        with bar(total=len(losses), file=console, desc=f"Epoch {epoch}", ncols=90,
                 mininterval=1) as batches:
            for loss in losses:
                batches.set_postfix(loss=loss, refresh=False)
                batches.update()
            batches.set_postfix(loss=sum(losses) / len(losses), val_loss=held)
    write("tqdm_console.txt", console.getvalue())


def write(name: str, text: str) -> None:
    (HERE / name).write_text(text, encoding="utf-8", newline="")


if __name__ == "__main__":
    os.environ.update(KERAS_BACKEND="torch", WANDB_MODE="offline", WANDB_SILENT="true")
    tools = (keras, lightning, transformers, tensorboard, wandb, mlflow, tqdm)
    for tool in tools:
        if not sys.argv[1:] or tool.__name__ in sys.argv[1:]:
            tool()
