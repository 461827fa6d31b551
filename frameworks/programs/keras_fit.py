import os
import sys

os.environ["KERAS_BACKEND"] = "torch"
import keras
import numpy as np

keras.utils.set_random_seed(0)
callbacks = []
if "adapter" in sys.argv:
    import unstuck.adapters.keras
    callbacks.append(unstuck.adapters.keras.Watch())
rng = np.random.default_rng(0)
x = rng.normal(size=(512, 20)).astype("float32")
y = (x @ rng.normal(size=(20, 4))).argmax(1)
model = keras.Sequential([keras.layers.Dense(64, activation="relu"), keras.layers.Dense(4)])
optimizer = keras.optimizers.SGD(learning_rate=30.0 if "faulty" in sys.argv else 0.1)
model.compile(optimizer=optimizer,
              loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
model.fit(x, y, batch_size=32, epochs=10, verbose=0, callbacks=callbacks)
print(sum(float(w.sum()) for w in model.get_weights()))
