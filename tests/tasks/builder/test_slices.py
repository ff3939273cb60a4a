"""The slice of real densities: symmetry, electron count, exactness, and agreement with pyrho's route."""

import dataclasses

import numpy as np
import pytest
from ecdbench.benchmark.errors import DataError
from ecdbench.tasks.builder.densities import CHANNELS, Volume, conventional_matrix
from ecdbench.tasks.builder.slices import PlaneSettings, plane_origin, regrid, slice_plane, slice_regridded

from .conftest import as_chgcar

SMALL = PlaneSettings(size=24)


def spread(values):
    return values.max() - values.min()


def exact(volume, channel, points):
    """The trigonometric polynomial of the grid at cell fractions `points`, term by term."""
    grid = volume.channels[channel].astype(float)
    spectrum = np.fft.fftn(grid) / grid.size
    waves = []
    for axis, count in enumerate(grid.shape):
        k = np.fft.fftfreq(count, 1 / count)
        wave = np.exp(2j * np.pi * np.outer(points[:, axis], k))
        if count % 2 == 0:
            wave[:, count // 2] = np.cos(np.pi * count * points[:, axis])
        waves.append(wave)
    return np.einsum("abc,pa,pb,pc->p", spectrum, *waves, optimize=True).real


def window(volume, settings):
    cube = conventional_matrix(volume.lattice)
    start, row, column = (vector @ cube for vector in settings.points())
    index = np.arange(settings.size)
    points = start + index[:, None, None] * row + index[None, :, None] * column
    return points.reshape(-1, 3) + plane_origin(volume, settings.origin)


@pytest.mark.parametrize(
    "settings", [SMALL, PlaneSettings(size=17, offset=0.37, rotation=23.0, window=0.9, origin="cell")]
)
def test_the_plane_is_the_trigonometric_polynomial(volume, settings):
    for channel in CHANNELS:
        found = slice_plane(volume, channel, settings)
        expected = exact(volume, channel, window(volume, settings)).reshape(found.shape)
        assert np.abs(found - expected).max() <= 1e-11 * max(spread(expected), 1)


def test_the_electrons_are_all_there(volume):
    assert volume.integral("total") == pytest.approx(volume.meta["n_electrons"], abs=1e-4)
    assert volume.integral("spin") == pytest.approx(volume.meta["total_magnetization_muB"], abs=5e-2)
    assert volume.integral("deformation") == pytest.approx(0, abs=1e-3)


def test_a_third_of_a_turn_about_111_changes_nothing(volume):
    one, two, three = (slice_plane(volume, "total", PlaneSettings(rotation=turn)) for turn in (0, 120, 240))
    assert np.abs(one - two).max() < 1e-12 * spread(one)
    assert np.abs(one - three).max() < 1e-12 * spread(one)


def test_half_a_turn_changes_it_unless_the_plane_has_an_inversion_centre(volume):
    one, two = (slice_plane(volume, "total", PlaneSettings(rotation=turn)) for turn in (0, 180))
    if len(volume.numbers) == 1:
        assert np.abs(one - two).max() < 1e-10
    else:
        assert np.abs(one - two).max() > 1e-2


def test_pyrho_finds_the_same_60_cubed_grid(volume):
    from pyrho.charge_density import ChargeDensity

    matrix = conventional_matrix(volume.lattice)
    density = ChargeDensity.from_pmg(as_chgcar(volume))
    reference = density.get_transformed(matrix, [60, 60, 60], up_sample=2).normalized_pgrids["total"].grid_data
    ours = regrid(volume).channels["total"]
    assert ours.shape == (60, 60, 60)
    assert np.sqrt(np.mean((ours - reference) ** 2)) < 5e-3 * spread(ours)  # pyrho interpolates linearly
    assert np.corrcoef(ours.ravel(), reference.ravel())[0, 1] > 0.999


def test_the_route_through_60_cubed_agrees_with_the_direct_one(volume):
    for channel in ("total", "deformation"):
        direct, detour = slice_plane(volume, channel), slice_regridded(volume, channel)
        assert np.sqrt(np.mean((direct - detour) ** 2)) < 1e-3 * spread(direct)


def test_the_conventional_cell_gives_the_same_plane(zincblende):
    """The density given on its conventional cube is the density given on its primitive cell."""
    cube = regrid(zincblende, 150)  # fine enough for every wave of the primitive grid
    settings = PlaneSettings(size=40, offset=0.25)
    assert np.allclose(conventional_matrix(cube.lattice), np.eye(3))
    one, two = slice_plane(zincblende, "total", settings), slice_plane(cube, "total", settings)
    assert np.abs(one - two).max() < 1e-9 * spread(one)


def test_the_plane_through_the_heaviest_atom_does_not_depend_on_where_the_cell_begins(zincblende):
    steps = (5, 11, 32)
    moved = Volume(
        zincblende.lattice,
        (zincblende.frac_coords + np.array(steps) / 48) % 1,
        zincblende.numbers,
        {name: np.roll(grid, steps, axis=(0, 1, 2)) for name, grid in zincblende.channels.items()},
        {},
    )
    one, two = slice_plane(zincblende, "total", SMALL), slice_plane(moved, "total", SMALL)
    assert np.abs(one - two).max() < 1e-10
    cell = dataclasses.replace(SMALL, origin="cell")
    assert np.abs(slice_plane(zincblende, "total", cell) - slice_plane(moved, "total", cell)).max() > 1


def test_a_cubic_cell_without_face_centring_is_refused():
    """Synthetic: a body-centred density on its conventional cube."""
    x, y, z = np.meshgrid(*[np.arange(12) / 12] * 3, indexing="ij")
    grid = np.cos(2 * np.pi * (x + y)) + np.cos(2 * np.pi * (y + z)) + np.cos(2 * np.pi * (x + z))
    volume = Volume(np.eye(3) * 3.0, np.zeros((1, 3)), np.array([26]), {"total": grid}, {})
    with pytest.raises(DataError, match="not F-centred"):
        slice_plane(volume, "total")


@pytest.mark.parametrize(
    "settings",
    [{"size": 0}, {"window": -1.0}, {"window": np.nan}, {"offset": np.inf}, {"origin": "centre"}],
)
def test_invalid_plane_settings(settings):
    with pytest.raises(DataError, match=r"needs a positive size|There is no origin 'centre'"):
        PlaneSettings(**settings)


@pytest.mark.parametrize("size", [(15, 15, 15), (12, 14, 15)])
def test_odd_and_uneven_grids(size):
    """Synthetic: a smooth density of three waves, known everywhere."""
    lattice = np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]) * 2.0
    f = np.stack(np.meshgrid(*(np.arange(n) / n for n in size), indexing="ij"), -1)

    def density(points):
        return 1 + np.cos(2 * np.pi * (points @ [1, 0, 2])) + 0.5 * np.sin(2 * np.pi * (points @ [2, 3, -1]))

    volume = Volume(lattice, np.zeros((1, 3)), np.array([28]), {"total": density(f)}, {})
    found = slice_plane(volume, "total", SMALL)
    assert np.allclose(found.ravel(), density(window(volume, SMALL)), atol=1e-12)
