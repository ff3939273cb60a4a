"""Ten-fold frozen InceptionV3 in Keras 3, weights random, with augmentation: FOLDER THREADS EPOCHS."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

folder, threads, epochs = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
os.environ |= {"KERAS_BACKEND": "tensorflow", "TF_NUM_INTRAOP_THREADS": str(threads), "TF_NUM_INTEROP_THREADS": "1"}

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

tf.config.threading.set_intra_op_parallelism_threads(threads)
tf.config.threading.set_inter_op_parallelism_threads(1)
content = np.load(folder / "sfe.npz")
images = tf.image.resize(content["images"], (75, 196)).numpy() * 2 - 1
targets = content["targets"]


def build() -> keras.Model:
    """The paper's recipe: flips and rotation, frozen backbone, average pooling, dropout, one neuron."""
    base = keras.applications.InceptionV3(weights=None, include_top=False, input_shape=(75, 196, 3))
    base.trainable = False
    inputs = keras.Input((75, 196, 3))
    hidden = keras.layers.RandomFlip("horizontal_and_vertical")(inputs)
    hidden = keras.layers.RandomRotation(0.2)(hidden)
    hidden = keras.layers.GlobalAveragePooling2D()(base(hidden, training=False))
    model = keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Dropout(0.2)(hidden)))
    model.compile(keras.optimizers.Adam(0.007), "mse")
    return model


for train, validation, predicted in json.loads((folder / "folds.json").read_text()):
    keras.utils.clear_session()
    model = build()
    stop = keras.callbacks.EarlyStopping(patience=epochs, restore_best_weights=True)
    watched = (images[validation], targets[validation])
    model.fit(images[train], targets[train], 6, epochs, validation_data=watched, callbacks=[stop], verbose=0)
    model.predict(images[predicted], verbose=0)
