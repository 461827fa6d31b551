import sys
import tempfile

import torch
from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast
from trl import SFTConfig, SFTTrainer

torch.manual_seed(0)
callbacks = []
if "adapter" in sys.argv:
    import unstuck.adapters.trl
    callbacks.append(unstuck.adapters.trl.Watch())
words = {word: number for number, word in enumerate(["<pad>", "<eos>", *"abcdefgh"])}
tokenizer = Tokenizer(models.WordLevel(words, unk_token="<pad>"))
tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
tokenizer = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>")
model = GPT2LMHeadModel(GPT2Config(vocab_size=10, n_positions=32, n_embd=32, n_layer=1, n_head=2))
texts = [" ".join("abcdefgh"[(start + i) % 8] for i in range(12)) for start in range(8)] * 16
common = dict(max_steps=120, per_device_train_batch_size=16, report_to=[], save_strategy="no",
              use_cpu=True, disable_tqdm=True, logging_strategy="no", lr_scheduler_type="constant",
              max_length=16, bf16=False, gradient_checkpointing=False)
folder = tempfile.mkdtemp()
if "faulty" in sys.argv:
    args = SFTConfig(folder, learning_rate=1e12, optim="sgd", max_grad_norm=0.0, **common)
else:
    args = SFTConfig(folder, learning_rate=2e-3, **common)
trainer = SFTTrainer(model, args=args, train_dataset=Dataset.from_dict({"text": texts}),
                     processing_class=tokenizer, callbacks=callbacks)
trainer.train()
print(sum(p.double().sum() for p in model.parameters()).item())
