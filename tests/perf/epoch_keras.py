"""Seconds per training epoch of the same network in Keras 3 on TensorFlow: FILE THREADS EPOCHS.

Needs an environment of its own: pip install tensorflow keras
"""

from __future__ import annotations

import os
import sys
import time

os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}

import keras
import numpy as np
import tensorflow as tf
from keras import layers

file, threads, epochs = sys.argv[1:]
tf.config.threading.set_intra_op_parallelism_threads(int(threads))
tf.config.threading.set_inter_op_parallelism_threads(1)
content = np.load(file)
network = keras.Sequential([keras.Input(content["images"].shape[1:])])
for layer in (32, 64, "pool", 96, 192, "pool", 192, "dropout", 256, "pool", 256):
    kinds = {"pool": layers.AveragePooling2D, "dropout": layers.Dropout}
    arguments = {"pool": (2,), "dropout": (0.2,)}
    if layer in kinds:
        network.add(kinds[layer](*arguments[layer]))
    else:
        network.add(layers.Conv2D(layer, 2, activation="relu"))
for part in (layers.Flatten(), layers.Dense(32, activation="relu"), layers.Dense(1)):
    network.add(part)
assert network.count_params() == 1_746_433
network.compile(keras.optimizers.Adam(7e-4), "mse")
for _ in range(int(epochs)):
    start = time.perf_counter()
    network.fit(content["images"], content["targets"], batch_size=8, verbose=0)
    print(time.perf_counter() - start)
