import numpy as np
import pytest
from ecdbench.tasks.build.cell import conventional_matrix
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

FCC = np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
angles = st.floats(-180, 180)


@given(
    st.floats(2, 12),
    st.tuples(angles, angles, angles),
    st.permutations(range(3)),
    st.lists(st.sampled_from([0, 1, -1]), min_size=6, max_size=6),
)
def test_any_setting_of_the_primitive_cell_gives_the_cube(edge, turns, order, shear):
    change = np.eye(3, dtype=int)[list(order)]
    change[0, 1:] += shear[:2]
    assume(abs(round(np.linalg.det(change))) == 1)
    lattice = change @ FCC @ Rotation.from_euler("xyz", turns, degrees=True).as_matrix() * edge
    assume(np.linalg.norm(lattice, axis=1).max() < 1.3 * edge)
    cube = conventional_matrix(lattice) @ lattice
    assert np.allclose(cube @ cube.T, edge**2 * np.eye(3), atol=1e-6 * edge**2)
    assert np.linalg.det(cube) > 0


@given(st.floats(2, 12))
def test_a_conventional_cell_is_left_alone(edge):
    assert np.array_equal(conventional_matrix(np.eye(3) * edge), np.eye(3))


@pytest.mark.parametrize("sign", [1, -1])
def test_the_diagonal_follows_the_primitive_cell(sign):
    matrix = conventional_matrix(sign * FCC)
    assert np.allclose(matrix.sum(axis=0), [1, 1, 1])
