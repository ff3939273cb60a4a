"""Seconds per training epoch of the scratch CNN: FILE THREADS PRECISION EPOCHS."""

from __future__ import annotations

import sys
import time

import numpy as np
import torch
from ecdbench.baselines.scratch_cnn import table1_network
from ecdbench.baselines.training import loop
from ecdbench.baselines.training.device import BatchSplitter, set_up_device
from ecdbench.baselines.training.objective import SquaredError
from ecdbench.baselines.training.sources import LabelledSource, TensorSource, image_tensor

file, threads, precision, epochs = sys.argv[1:]
torch.set_num_threads(int(threads))
content = np.load(file)
settings = loop.LoopSettings(8, 7e-4, 50, 500, precision)
set_up_device("cpu")
network = table1_network(*content["images"].shape[1:3]).to(memory_format=torch.channels_last)
source = TensorSource((image_tensor(content["images"], "cpu"),))
training = LabelledSource(source, torch.from_numpy(content["targets"])[:, None])
optimizer = loop.make_optimizer(network, settings)
for _ in range(int(epochs)):
    start = time.perf_counter()
    loop.train_epoch(network, training, SquaredError(), optimizer, settings, BatchSplitter([]))
    print(time.perf_counter() - start)
