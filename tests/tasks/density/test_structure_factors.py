"""Structure factors of real densities: exactness of planes and volumes against the raw grids, symmetry, electrons."""

import dataclasses
import json
from dataclasses import replace

import numpy as np
import pytest
from ecdbench.benchmark.errors import DataError
from ecdbench.tasks.builder.densities import CHANNELS, Volume, read_volume
from ecdbench.tasks.builder.reduction import ACCURACY, reduce_density
from ecdbench.tasks.density.planes import PlaneSettings, slice_plane, view_origin
from ecdbench.tasks.density.structure_factors import StructureFactors
from ecdbench.tasks.density.volumes import density_volume

SMALL = PlaneSettings(size=16)
TURNED = PlaneSettings(size=9, offset=0.37, rotation=23.0, window=0.9, origin="cell")


@pytest.fixture(scope="module")
def reduction(volume):
    return reduce_density(volume)


def cubic(volume):
    """The structure factors of a cubic crystal, with its cube."""
    return replace(reduce_density(volume).factors, cube=volume.cube_matrix)


@pytest.fixture(scope="module")
def factors(volume, reduction):
    """As a dataset gives them back."""
    return StructureFactors.from_cells(replace(reduction.factors, cube=volume.cube_matrix).to_cells())


def spread(values):
    return max(float(np.ptp(values)), 1e-6)


def of_grid(volume, channel, points):
    """The trigonometric polynomial of the raw grid at cell fractions `points`, term by term."""
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


def of_factors(factors, channel, points):
    """The sum over every image of every reflection, term by term: no weights, no halves."""
    terms = {}
    for h, value in zip(factors.reflections, factors.channel(channel), strict=True):
        for rotation, translation in zip(factors.rotations, factors.translations, strict=True):
            image, phase = h @ rotation, np.exp(2j * np.pi * (h @ translation))
            terms[tuple(image)] = value * phase
            terms[tuple(-image)] = np.conj(value * phase)
    waves = np.array(list(terms))
    return (np.exp(2j * np.pi * points @ waves.T) @ np.array(list(terms.values()))).real


def window(factors, settings):
    start, row, column = (vector @ factors.cube for vector in settings.points())
    index = np.arange(settings.size)
    points = start + index[:, None, None] * row + index[None, :, None] * column
    return points.reshape(-1, 3) + view_origin(factors, settings.origin)


@pytest.mark.parametrize("settings", [PlaneSettings(size=11), TURNED])
def test_a_plane_is_the_sum_over_all_reflections(factors, settings):
    for channel in (*CHANNELS, "promolecule"):
        found = slice_plane(factors, channel, settings)
        expected = of_factors(factors, channel, window(factors, settings)).reshape(found.shape)
        assert np.abs(found - expected).max() <= 1e-11 * max(spread(expected), 1)


def test_a_plane_agrees_with_that_of_the_raw_grid(volume, factors):
    for channel in CHANNELS:
        expected = of_grid(volume, channel, window(factors, SMALL))
        difference = slice_plane(factors, channel, SMALL).ravel() - expected
        assert np.sqrt((difference**2).mean()) <= 3 * ACCURACY[channel] * spread(volume.channels[channel])


def test_a_volume_is_the_density_at_the_points_of_the_cube(factors):
    for size in (4, 5):
        points = np.stack(np.meshgrid(*[np.arange(size) / size] * 3, indexing="ij"), -1).reshape(-1, 3)
        points = points @ factors.cube + view_origin(factors, "heaviest")
        for channel in ("total", "promolecule"):
            found = density_volume(factors, channel, size)
            assert found.dtype == np.float32
            assert found.ravel() == pytest.approx(of_factors(factors, channel, points), abs=1e-4)


def test_the_accuracy_is_as_stated(volume, reduction):
    assert reduction.is_accurate
    for channel, error in reduction.error.items():
        assert error <= ACCURACY[channel]
    assert reduction.error["total"] > 0 and (reduction.error["spin"] > 0) == volume.meta["spinpol"]


def test_the_electrons_are_all_there(volume, factors):
    assert factors.electrons("total") == pytest.approx(volume.meta["n_electrons"], abs=1e-4)
    assert factors.electrons("spin") == pytest.approx(volume.meta["total_magnetization_muB"], abs=5e-2)
    assert factors.electrons("deformation") == pytest.approx(0, abs=1e-3)
    assert factors.electrons("total") == pytest.approx(volume.integral("total"), abs=1e-5)


def test_a_third_of_a_turn_about_111_changes_nothing(factors):
    one, two, three = (slice_plane(factors, "total", PlaneSettings(rotation=turn)) for turn in (0, 120, 240))
    assert np.abs(one - two).max() < 1e-11 * spread(one)
    assert np.abs(one - three).max() < 1e-11 * spread(one)


def test_half_a_turn_changes_it_unless_the_plane_has_an_inversion_centre(factors):
    one, two = (slice_plane(factors, "total", PlaneSettings(rotation=turn)) for turn in (0, 180))
    if len(factors.numbers) == 1:
        assert np.abs(one - two).max() < 1e-10
    else:
        assert np.abs(one - two).max() > 1e-2


def test_superposed_atoms_are_the_total_density_without_its_deformation(factors):
    total, deformation, atoms = (
        slice_plane(factors, channel, SMALL) for channel in ("total", "deformation", "promolecule")
    )
    assert np.allclose(atoms, total - deformation, atol=1e-9)


@pytest.fixture(scope="module")
def zincblende_factors(zincblende):
    return cubic(zincblende)


def on_cube(factors):
    """The same density on a grid of its conventional cube."""
    inside = factors.frac_coords @ np.linalg.inv(factors.cube)
    shifts = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    sites = (inside[:, None] + shifts).reshape(-1, 3) % 1
    grid = density_volume(factors, "total", 72, "cell")
    return Volume(factors.cube @ factors.lattice, sites, np.repeat(factors.numbers, 4), {"total": grid}, {})


def test_a_cell_that_is_not_primitive_gives_the_same_density(zincblende_factors):
    found = cubic(on_cube(zincblende_factors))
    assert len(found.rotations) == len(zincblende_factors.rotations) == 24
    assert len(found.reflections) == np.count_nonzero(zincblende_factors.coefficients["total"])
    settings = PlaneSettings(size=30, offset=0.25)
    one, two = (slice_plane(each, "total", settings) for each in (zincblende_factors, found))
    assert np.abs(one - two).max() < 1e-5 * spread(one)


def test_a_crystal_without_symmetry(zincblende):
    """A zincblende whose density was given another weight at one reflection: only the identity is left."""
    grid = zincblende.channels["total"].astype(float)
    axes = np.meshgrid(*[np.arange(n) / n for n in grid.shape], indexing="ij")
    odd = grid + 0.05 * np.cos(2 * np.pi * (axes[0] + 2 * axes[1] + 4 * axes[2]) + 0.3)
    reduction = reduce_density(replace(zincblende, channels={"total": odd}))
    assert len(reduction.factors.rotations) == 1
    assert reduction.is_accurate
    points = np.random.default_rng(0).random((50, 3))
    expected = of_grid(replace(zincblende, channels={"total": odd}), "total", points)
    assert np.abs(of_factors(reduction.factors, "total", points) - expected).max() < 1e-3 * spread(expected)


def test_an_antiferromagnet_keeps_the_operations_that_its_spin_obeys():
    """Synthetic: two atoms of one kind in a tetragonal cell, with opposite moments."""
    lattice = np.diag([3.0, 3.0, 4.0])
    axes = np.stack(np.meshgrid(*[np.arange(24) / 24] * 3, indexing="ij"), -1)
    x, y, z = np.moveaxis(2 * np.pi * axes, -1, 0)
    total = 3 + np.cos(x + y) + np.cos(x - y) + np.cos(2 * z) + np.cos(x) * np.cos(y) * np.cos(z)
    spin = np.cos(x) + np.cos(y) + np.cos(z)  # odd under the translation that exchanges the two atoms
    sites = np.array([[0, 0, 0], [0.5, 0.5, 0.5]])
    volume = Volume(lattice, sites, np.array([25, 25]), {"total": total, "spin": spin}, {})
    both, alone = reduce_density(volume), reduce_density(replace(volume, channels={"total": total}))
    assert both.is_accurate and alone.is_accurate
    points = np.random.default_rng(0).random((40, 3))
    for channel in ("total", "spin"):
        expected = of_grid(volume, channel, points)
        assert np.abs(of_factors(both.factors, channel, points) - expected).max() < 1e-6
    assert len(both.factors.rotations) == len(alone.factors.rotations) == 16


def test_a_channel_of_noise_costs_neither_symmetry_nor_accuracy(zincblende):
    noise = np.random.default_rng(0).normal(0, 1e-4, zincblende.channels["total"].shape)
    reduction = reduce_density(replace(zincblende, channels={**zincblende.channels, "spin": noise}))
    assert len(reduction.factors.rotations) == 24
    assert reduction.is_accurate and reduction.error["spin"] == 0


@pytest.mark.parametrize("shape", [(16, 16, 16), (14, 18, 22)])
def test_what_a_coarse_grid_does_not_resolve_is_not_claimed(shape):
    """Synthetic: a sharp density on a grid too coarse for 25 1/A, with axes of unequal resolution."""
    lattice = np.eye(3) * 5.0
    axes = np.stack(np.meshgrid(*[np.arange(n) / n for n in shape], indexing="ij"), -1)
    apart = (axes - np.rint(axes)) @ lattice
    grid = np.exp(-(apart**2).sum(axis=-1) / 0.3)
    factors = reduce_density(Volume(lattice, np.zeros((1, 3)), np.array([84]), {"total": grid}, {})).factors
    smallest = 2 * np.pi * ((min(shape) - 1) // 2 + 1) / 5.0
    assert factors.resolution == pytest.approx(smallest)
    spectrum = np.fft.fftn(grid) / grid.size
    for reflection, value in zip(factors.reflections, factors.channel("total"), strict=True):
        assert (np.abs(reflection @ factors.rotations) <= (np.array(shape) - 1) // 2).all()
        assert value == pytest.approx(spectrum[tuple(reflection)], abs=2e-3)  # not averaged with what is not there


def test_a_crystal_that_is_not_cubic_has_a_volume_and_no_plane():
    """Synthetic: a hexagonal cell with three waves."""
    lattice = np.array([[3.0, 0, 0], [-1.5, 1.5 * 3**0.5, 0], [0, 0, 5.0]])
    axes = np.stack(np.meshgrid(*[np.arange(24) / 24] * 3, indexing="ij"), -1)
    waves = [(1, 0, 0), (0, 1, 0), (-1, 1, 0), (0, 0, 2)]
    grid = 2 + sum(np.cos(2 * np.pi * axes @ np.array(h)) for h in waves)
    factors = reduce_density(Volume(lattice, np.zeros((1, 3)), np.array([22]), {"total": grid}, {})).factors
    assert factors.cube is None and len(factors.rotations) == 24
    assert density_volume(factors, "total", 24) == pytest.approx(grid, abs=1e-5)
    with pytest.raises(DataError, match=r"not cubic F-centred, so it has no \(111\) plane"):
        slice_plane(factors, "total")


def test_a_rebuild_is_bit_for_bit(zincblende):
    one, two = (reduce_density(zincblende).factors.to_cells() for _ in range(2))
    noise = 1e-13 * np.random.default_rng(1).standard_normal(zincblende.channels["total"].shape)
    channels = {name: grid.astype(float) + noise for name, grid in zincblende.channels.items()}
    three = reduce_density(replace(zincblende, channels=channels)).factors.to_cells()
    for name, cell in one.items():
        for other in (two, three):
            assert np.array_equal(cell, other[name]), name


def operations(symmetry):
    return symmetry["rotations"], symmetry["translations"]


def in_symmetry(cells, change):
    symmetry = json.loads(cells["symmetry"])
    change(symmetry)
    cells["symmetry"] = json.dumps(symmetry)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda cells: cells.update(reflections=cells["reflections"][:-3]), "truncated or do not fit together"),
        (lambda cells: cells.update(symmetry=cells["symmetry"][:-20]), "are damaged"),
        (lambda cells: cells.pop("structure"), "are damaged"),
        (lambda cells: cells.update(symmetry=cells["symmetry"].replace('"format": 1', '"format": 7')), "of form 7"),
        (lambda cells: cells["structure_factors_total"].__setitem__((5, 1), 0.2), "break the symmetry"),
        (lambda cells: cells["structure_factors_total"].__setitem__((5, 0), np.nan), "truncated or do not fit"),
        (lambda cells: cells["reflections"].__setitem__(5, -cells["reflections"][4]), "two of one class"),
        (lambda cells: cells["reflections"].__setitem__((5, 1), 1e6), "are damaged .*indices"),
        (lambda cells: cells["reflections"].__setitem__((5, 1), 0.5), "are damaged .*indices"),
        (lambda cells: cells.update(cube=np.zeros((3, 3))), "no F-centred cell"),
        (lambda cells: in_symmetry(cells, lambda one: one["rotations"].__setitem__(1, [[2, 0, 0]] * 3)), "no group"),
        (lambda cells: in_symmetry(cells, lambda one: one["rotations"].pop()), "truncated or do not fit"),
        (lambda cells: in_symmetry(cells, lambda one: [values.pop() for values in operations(one)]), "no group"),
        (lambda cells: in_symmetry(cells, lambda one: one.update(resolution=-1.0)), "truncated or do not fit"),
        (lambda cells: cells.update(structure=cells["structure"].replace("77", "-77")), "truncated or do not fit"),
        (lambda cells: cells.update(structure="[" * 100_000), r"structure is damaged \(RecursionError"),
        (lambda cells: cells.update(symmetry="[" * 100_000), r"are damaged \(RecursionError"),
        (lambda cells: cells.update(cube=np.array([[1, 4000, 0], [0, 1, 0], [0, 0, 1]])), "no F-centred cell"),
        (
            lambda cells: in_symmetry(cells, lambda one: [v.extend(v * 999) for v in operations(one)]),
            "at most 48 operations",
        ),
    ],
)
def test_damaged_structure_factors_are_refused(raw_dir, damage, sentence):
    copper = read_volume(raw_dir / "densities" / "mp-101.npz")
    cells = cubic(copper).to_cells()
    damage(cells)
    with pytest.raises(DataError, match=sentence):
        StructureFactors.from_cells(cells)


def test_a_plane_of_frequencies_that_no_crystal_has(zincblende_factors):
    far = replace(zincblende_factors, reflections=zincblende_factors.reflections * 400)
    with pytest.raises(DataError, match="frequencies, more than 4,096 along an axis"):
        slice_plane(far, "total")


def test_a_channel_that_is_not_there(zincblende_factors):
    with pytest.raises(DataError, match="has no magnetic density; it has total, spin, deformation, promolecule"):
        slice_plane(zincblende_factors, "magnetic")


def test_the_plane_through_the_heaviest_atom_does_not_depend_on_where_the_cell_begins(zincblende):
    steps = (5, 11, 32)
    moved = Volume(
        zincblende.lattice,
        (zincblende.frac_coords + np.array(steps) / 48) % 1,
        zincblende.numbers,
        {name: np.roll(grid, steps, axis=(0, 1, 2)) for name, grid in zincblende.channels.items()},
        {},
    )
    here, there = (cubic(each) for each in (zincblende, moved))
    one, two = slice_plane(here, "total", SMALL), slice_plane(there, "total", SMALL)
    assert np.abs(one - two).max() < 1e-6
    cell = dataclasses.replace(SMALL, origin="cell")
    assert np.abs(slice_plane(here, "total", cell) - slice_plane(there, "total", cell)).max() > 1


@pytest.mark.parametrize(
    "settings",
    [
        {"size": 0},
        {"size": 7.5},
        {"size": 10**6},
        {"size": "75"},
        {"window": -1.0},
        {"window": np.nan},
        {"offset": np.inf},
        {"offset": "a"},
        {"origin": "centre"},
    ],
)
def test_invalid_plane_settings(settings):
    with pytest.raises(DataError, match=r"size must be an integer|needs a positive window|There is no origin 'centre'"):
        PlaneSettings(**settings)


def test_cells_are_what_other_tools_read(zincblende_factors):
    cells = zincblende_factors.to_cells()
    structure = json.loads(cells["structure"])
    assert structure["numbers"] == zincblende_factors.numbers.tolist()
    assert cells["reflections"].dtype == np.float32 and cells["structure_factors_total"].shape[1] == 2
