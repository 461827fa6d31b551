"""What a run must have for a signal to be measured, in a user's words: each reads after "needs"."""

from __future__ import annotations

# Training ----------------------------------------------------------------------------------------
LOSS = "a training loss on which backward() is called"
BACKWARD = "a backward pass through a torch.nn.Module"
LAYERS = "a training step that calls the layers of a torch.nn.Module"
UPDATE = "at least one training step of a torch.nn.Module"
UPDATES = "at least two training steps of a torch.nn.Module"
OPTIMIZER = "at least one step of a torch optimizer"
OPEN_OPTIMIZER = "at least one step of a torch optimizer without a closure"
OPEN_OPTIMIZER_TWICE = "at least two steps of a torch optimizer without a closure"
STEPLESS = "at least two backward passes before the first optimizer step"
SCHEDULER = "a learning rate scheduler whose step() is called"
CLIPPING = "a call of clip_grad_norm_ on CPU gradients"
SMALL_GRAPH = "a loss with at most 5,000 operations behind it, in one of the first three steps"
RECURRENCE = "a recurrent weight that is used at least six times in one forward pass"
UNREGISTERED = "a layer that the loss uses although no model registers it"
FROZEN = "a backward pass through a model with frozen parameters"
METRICS = "a log with other numbers besides the losses"

# Layers ------------------------------------------------------------------------------------------
RELU = "a training step through ReLU layers"
SIGMOID = "a training step through sigmoid or tanh layers"
BATCH_NORM = "a training step through batch normalisation layers in train mode"
TWO_MODES = "a training step through dropout or batch normalisation layers"
MIXED_SAMPLES = "a layer whose input mixes several samples of a batch"

# Data at the model and at the loss ---------------------------------------------------------------
MODEL = "a training step of a torch.nn.Module that is called with tensors"
BATCHES = "at least two training steps on batches of several samples"
FLOATS = "a model whose first layer is trained on floating-point inputs"
NON_FINITE_INPUT = "model inputs that contain NaN or Inf"
EQUAL_INPUTS = "model inputs that are the same for every sample"
IMAGES = "a first convolution over images of several channels, of at least 8 x 8 pixels"
KNOWN_LOSS = "a loss function of PyTorch"
BACKWARD_OF_KNOWN_LOSS = "a loss function of PyTorch whose result is passed to backward()"
PLAIN_LOSS = "an unweighted loss function of PyTorch, such as cross_entropy or mse_loss"
TARGETS = "a loss function of PyTorch that is called with targets"
FLOAT_TARGETS = "a loss with floating-point targets"
REGRESSION = "a regression loss such as mse_loss"
WIDE_REGRESSION = "a regression loss with several numbers to predict per sample"
WHOLE_NUMBERS = "a regression loss whose targets are a few different whole numbers"
BOUNDED_REGRESSION = "a regression loss on a bounded output, such as that of a ReLU or sigmoid"
PROBABILITIES = "cross_entropy with class probabilities as targets"
LABELS = "a classification loss with one integer label per sample, over at least two steps"
DRAWING = "a DataLoader that is iterated in training"
WORKERS = "a DataLoader with at least two workers and no worker_init_fn"

# Passes that learn nothing -----------------------------------------------------------------------
VALIDATION = "a validation pass in the same run that computes a loss"
SEEN = "a pass in eval mode over the training data that computes a loss"
TWO_MODE_VALIDATION = (
    "a validation pass in the same run through dropout or batch normalisation layers")

# Samples that are kept until the run ends --------------------------------------------------------
KEPT = "a run without Ctrl-C whose model is trained on batches of floating-point inputs"
COPIES = "two epochs over at most 2,000 training samples, or a DataLoader without workers"
FOUND_COPIES = "training samples that occur more than once"
LABELLED_COPIES = "training samples with class labels that occur more than once"
ROUND_AND_VALIDATION = "a validation pass in the same run, after a whole epoch of training"
ROLES = "at least 20 training samples and 20 held-out samples with floating-point inputs"
LABELLED_ROLES = "at least 24 training samples and 24 held-out samples, each with a target"
MANY = "at least 40 training samples with floating-point inputs"
MANY_VALUES = "at least 40 training samples with a number to predict"
MANY_LOSSES = "at least 40 training samples and a loss such as cross_entropy or mse_loss"
CLASSES = "training samples with one class label each, of at most 100 classes"
LATE_CLASSES = "class labels of training samples that are seen again late in the run"
LATE_HELD_OUT_CLASSES = "a validation pass with class labels late in the run"
PAIRS = "at least 100 samples with targets, for a model with a single input"
LABELLED_PAIRS = "at least 100 training samples with class labels, for a model with a single input"
PREDICTIONS = "training samples with one target each"
EPOCHS = "at least 100 training samples with class labels that are seen in several epochs"
