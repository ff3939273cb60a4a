"""Planes as pictures: the noise threshold, and the colours."""

import numpy as np
import pytest
from ecdbench.tasks.density.pictures import RENDERING, RenderSettings, is_noise, render


def test_noise_is_an_amplitude_below_the_threshold():
    noise = np.full((8, 8), 9e-4)
    assert is_noise(noise) and is_noise(-noise)
    assert not is_noise(noise + np.eye(8))


@pytest.mark.parametrize("name", sorted({settings.colour_map for settings in RENDERING.values()}))
def test_colours_are_those_of_matplotlib(name):
    from matplotlib import colormaps

    density = np.linspace(-0.1, 1.1, 300).reshape(20, 15)
    expected = (colormaps[name](np.clip(density, 0, 1))[..., :3] * 255).round()
    found = render(density, RenderSettings(name, (0.0, 1.0)))
    assert np.abs(found.astype(int) - expected).max() <= 5  # levels are rounded, not cut
    assert np.array_equal(found.reshape(-1, 3)[0], expected.reshape(-1, 3)[0])
    assert np.array_equal(found.reshape(-1, 3)[-1], expected.reshape(-1, 3)[-1])
