"""Slices as pictures: the noise threshold, and the colours."""

import numpy as np
from ecdbench.tasks.builder.pictures import RENDERING, RenderSettings, is_noise, render


def test_noise_is_flagged_and_never_stretched():
    noise = np.random.default_rng(0).normal(0, 1e-5, (8, 8))
    assert is_noise(noise)
    colours = np.unique(render(noise, RENDERING["spin"]).reshape(-1, 3), axis=0)
    assert np.ptp(colours, axis=0).max() <= 1  # the two shades in the middle of the map
    assert not is_noise(noise + np.eye(8))


def test_colours_are_those_of_the_map():
    from matplotlib import colormaps

    pixels = render(np.array([[-5.0, 0.0], [0.5, 9.0]]), RenderSettings("viridis", (0.0, 1.0)))
    expected = [colormaps["viridis"](x)[:3] for x in (0.0, 0.0, 128 / 255, 1.0)]
    assert np.abs(pixels.reshape(-1, 3) / 255 - expected).max() < 1 / 255
