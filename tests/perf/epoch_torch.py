"""Seconds per training epoch of the scratch CNN: FILE THREADS PRECISION EPOCHS."""

from __future__ import annotations

import sys
import time

import numpy as np
import torch
from ecdbench.baselines.training import loop
from ecdbench.baselines.training.memory import Halving
from ecdbench.baselines.training.sources import TensorSource
from ecdbench.baselines.training.table1 import table1_network

file, threads, precision, epochs = sys.argv[1:]
torch.set_num_threads(int(threads))
content = np.load(file)
settings = loop.LoopSettings(8, 7e-4, 50, 500, precision)
network = loop.prepare(table1_network(*content["images"].shape[1:3]), "cpu")
source = TensorSource((loop.to_tensor(content["images"], "cpu"),))
targets = torch.from_numpy(content["targets"])[:, None]
optimizer = loop.make_optimizer(network, settings)
for _ in range(int(epochs)):
    start = time.perf_counter()
    loop.train_epoch(network, source, targets, optimizer, settings, Halving([]))
    print(time.perf_counter() - start)
