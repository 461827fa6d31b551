import sys
import tempfile

import torch
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments

torch.manual_seed(0)
callbacks = []
if "adapter" in sys.argv:
    import unstuck.adapters.transformers
    callbacks.append(unstuck.adapters.transformers.Watch())
config = BertConfig(vocab_size=50, hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
                    intermediate_size=64, num_labels=2, max_position_embeddings=16)
model = BertForSequenceClassification(config)
ids = torch.randint(0, 50, (512, 8))
data = [{"input_ids": row, "labels": int(row[0] > 25)} for row in ids]
common = dict(max_steps=200, per_device_train_batch_size=32, report_to=[], save_strategy="no",
              use_cpu=True, disable_tqdm=True, logging_strategy="no", lr_scheduler_type="constant",
              max_grad_norm=0.0)
folder = tempfile.mkdtemp()
if "faulty" in sys.argv:
    args = TrainingArguments(folder, learning_rate=1e12, optim="sgd", **common)
else:
    args = TrainingArguments(folder, learning_rate=2e-3, **common)
trainer = Trainer(model, args, train_dataset=data, callbacks=callbacks)
trainer.train()
print(sum(p.double().sum() for p in model.parameters()).item())
