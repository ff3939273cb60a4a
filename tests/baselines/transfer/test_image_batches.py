import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="needs the extra torch")

from ecdbench.baselines.transfer import image_batches  # noqa: E402
from ecdbench.benchmark.errors import ModelError  # noqa: E402
from ecdbench.benchmark.feature_store import content_key  # noqa: E402


@pytest.mark.parametrize(
    ("image", "seen"),
    [
        ((146, 392), (75, 196)),
        ((75, 75), (75, 75)),
        ((40, 60), (40, 60)),
        ((400, 200), (392, 196)),
        ((90, 980), (75, 196)),
    ],
)
def test_the_size_a_network_sees(image, seen):
    """The paper's 196 x 75 for sfe; nothing is enlarged."""
    assert image_batches.default_size(*image) == seen


def test_sizes_as_written():
    assert image_batches.parse_size("196x75") == (75, 196)
    assert image_batches.parse_size(None) is None
    for wrong in ("196", "x75", "0x75", "-1x3", "9999x75", "axb", 5):
        with pytest.raises(ModelError, match="WIDTHxHEIGHT"):
            image_batches.parse_size(wrong)


def test_images_keep_their_grey_level_when_shrunk():
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (146, 392, 3), dtype=np.uint8))
    small = image_batches.resize(image, (73, 196))
    exact = np.asarray(image, float).reshape(73, 2, 196, 2, 3).mean(axis=(1, 3))
    assert small.shape == (73, 196, 3)
    assert np.abs(small - exact).max() <= 1


def view(images, turn, horizontal, vertical):
    draws = np.array([[0.5 + turn / (2 * image_batches.MAX_TURN), horizontal, vertical]])
    return image_batches._transform(images, np.repeat(draws, len(images), axis=0))


@pytest.fixture
def picture():
    return torch.rand(1, 3, 21, 33, generator=torch.manual_seed(0))


def test_no_turn_and_no_flip_change_nothing(picture):
    assert torch.allclose(view(picture, 0, 1, 1), picture, atol=1e-5)


def test_flips(picture):
    assert torch.allclose(view(picture, 0, 0, 1), picture.flip(3), atol=1e-5)
    assert torch.allclose(view(picture, 0, 1, 0), picture.flip(2), atol=1e-5)


def test_a_turn_turns_a_wide_image_as_it_would_a_square_one():
    """A disc off the centre of an 80 x 140 picture goes round it by the angle, at the same distance."""
    rows, columns = np.mgrid[:80, :140]
    disc = ((rows - 39.5) ** 2 + (columns - 69.5 - 15) ** 2 < 9).astype(np.float32)
    turned = view(torch.tensor(disc)[None, None].repeat(1, 3, 1, 1), 0.125, 1, 1)[0, 0].numpy()
    y, x = (np.sum(axis * turned) / turned.sum() for axis in (rows - 39.5, columns - 69.5))
    assert np.hypot(x, y) == pytest.approx(15, abs=0.3)
    assert abs(np.degrees(np.arctan2(y, x))) == pytest.approx(45, abs=1)


def test_a_bank_is_the_same_whatever_else_is_in_the_batch(picture):
    others = torch.rand(2, 3, 21, 33)
    keys = [content_key(bytes([i])) for i in range(3)]
    alone = image_batches.bank_of_views(picture, keys[:1], 4)
    together = image_batches.bank_of_views(torch.cat([others, picture]), [keys[1], keys[2], keys[0]], 4)
    assert torch.allclose(alone, together[8:], atol=1e-6)
    assert len({view.sum().item() for view in alone}) == 4


def test_turns_stay_within_a_fifth_and_use_it():
    """Where a disc beside the centre goes, flips folded back: up to 72 degrees off its axis, and nearly as far."""
    rows, columns = np.mgrid[:160, :140]  # so tall that no mirrored disc comes into view
    disc = ((rows - 79.5) ** 2 + (columns - 69.5 - 15) ** 2 < 9).astype(np.float32)
    views = image_batches.bank_of_views(torch.tensor(disc)[None, None].repeat(1, 3, 1, 1), [content_key(b"disc")], 200)
    angles = []
    for view in views[:, 0].numpy():
        y, x = (np.sum(axis * view) / view.sum() for axis in (rows - 79.5, columns - 69.5))
        angles.append(np.degrees(np.arctan2(abs(y), abs(x))))
    assert 68 < max(angles) < 73
    assert min(angles) < 4
