"""Changes to training pictures."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.data.pictures import picture

from unmask.data import augment, filters
from unmask.data.augment import AUGMENTATIONS, delivery, light

pytestmark = pytest.mark.train  # `delivery` makes frames of clips, with PyAV

CHANGES = pytest.mark.parametrize("change", [light, delivery])


@pytest.fixture(scope="module")
def images() -> NDArray[np.uint8]:
    return np.stack([picture(seed, 64) for seed in range(24)])


def generator(seed: int = 5) -> np.random.Generator:
    return np.random.default_rng(seed)


@CHANGES
def test_shape_and_type_stay(change: augment.Augment, images: NDArray[np.uint8]) -> None:
    changed = change(images, generator())
    assert (changed.shape, changed.dtype) == (images.shape, np.uint8)


@CHANGES
def test_the_same_seed_gives_the_same_pictures(change: augment.Augment, images: NDArray[np.uint8]) -> None:
    np.testing.assert_array_equal(change(images, generator()), change(images, generator()))


@CHANGES
def test_another_seed_gives_other_pictures(change: augment.Augment, images: NDArray[np.uint8]) -> None:
    assert not np.array_equal(change(images, generator(1)), change(images, generator(2)))


@CHANGES
def test_what_came_in_is_not_changed(change: augment.Augment, images: NDArray[np.uint8]) -> None:
    before = images.copy()
    change(images, generator())
    np.testing.assert_array_equal(images, before)


@CHANGES
def test_an_empty_batch_stays_empty(change: augment.Augment) -> None:
    assert change(np.empty((0, 64, 64, 3), np.uint8), generator()).shape == (0, 64, 64, 3)


@CHANGES
@pytest.mark.parametrize("side", [16, 33, 224])
def test_any_size_will_do(change: augment.Augment, side: int) -> None:
    assert change(np.stack([picture(seed, side) for seed in range(12)]), generator()).shape[1] == side


@CHANGES
def test_a_window_is_of_its_side_and_the_same_seed_gives_the_same(
    change: augment.Augment, images: NDArray[np.uint8]
) -> None:
    for window in (20, 56, 64):
        cut = change(images, generator(), window)
        assert (cut.shape, cut.dtype) == ((24, window, window, 3), np.uint8)
        np.testing.assert_array_equal(cut, change(images, generator(), window))


@CHANGES
def test_a_window_may_be_much_smaller_than_the_picture(change: augment.Augment) -> None:
    large = np.repeat(picture(1, 256)[None], 2000, axis=0)
    assert change(large, generator(), 16).shape == (2000, 16, 16, 3)


@pytest.mark.parametrize(
    "step", [augment._nudge, partial(augment._move, rotation=4.0, shift=0.06, shear=0.0, zoom=0.1)]
)
def test_a_part_is_what_the_whole_has_there(
    step: Callable[[augment.Pixels, np.random.Generator, augment._Part], augment.Pixels],
) -> None:
    image = picture(2, 64)
    for seed in range(20):
        whole = step(image, generator(seed), augment._Part(0, 0, 64, 64))
        part = step(image, generator(seed), augment._Part(11, 23, 36, 64))
        np.testing.assert_allclose(part.astype(int), whole[11:47, 23:59], atol=1)


def test_windows_lie_anywhere_in_the_picture_and_in_what_was_compressed() -> None:
    rows, columns = np.mgrid[0:64, 0:64]
    image = np.stack([rows, columns, np.zeros_like(rows)], axis=2).astype(np.uint8)
    parts: list[augment._Part] = []

    def change(image: augment.Pixels, _: np.random.Generator, part: augment._Part) -> augment.Pixels:
        parts.append(part)
        return image[part.top : part.top + part.side, part.left : part.left + part.side]

    cut = augment._each(np.stack([image] * 1650), generator(), 32, change)
    corners = cut[:, 0, 0, :2].astype(int)
    # Each of 33 places alike: about 100 times, with a standard deviation of 10.
    times = np.bincount(corners.ravel(), minlength=33)
    assert len(times) == 33
    assert times.min() >= 55
    assert times.max() <= 145
    places = {(top - part.top) % 8 for top, part in zip(corners[:, 0], parts, strict=True)}
    assert places == set(range(8))


def test_bars_of_a_screenshot_are_at_the_edges_of_the_whole_picture() -> None:
    plain = np.full((40, 40, 3), 100, np.uint8)
    inside = augment._Part(8, 8, 40, 64)
    assert all((augment._screenshot(plain, generator(seed), inside) == 100).all() for seed in range(20))
    corner = augment._Part(0, 24, 40, 64)
    barred = np.stack([augment._screenshot(plain, generator(seed), corner) for seed in range(40)]) != 100
    assert barred[:, 0].all(axis=(1, 2)).any()
    assert barred[:, :, -1].all(axis=(1, 2)).any()
    assert not barred[:, -1].all(axis=(1, 2)).any()
    assert not barred[:, :, 0].all(axis=(1, 2)).any()


def test_a_blur_is_as_strong_in_a_window_as_in_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    sides: set[int] = set()

    def blur(image: augment.Pixels, _: np.random.Generator, side: int) -> augment.Pixels:
        sides.add(side)
        return image

    monkeypatch.setattr(augment, "blur", blur)
    delivery(np.stack([picture(1, 64)] * 60), generator(), 24)
    assert sides == {64}


def test_light_turns_about_half_of_the_pictures_round(images: NDArray[np.uint8]) -> None:
    ramp = np.repeat(np.linspace(0, 255, 64).astype(np.uint8)[None, :, None], 64, axis=0).repeat(3, axis=2)
    changed = light(np.stack([ramp] * 400), generator())
    mirrored = np.mean(changed[:, 32, 8, 0] > changed[:, 32, 55, 0])
    assert 0.4 < mirrored < 0.6


def test_light_moves_the_middle_by_a_twentieth_at_most() -> None:
    dot = np.zeros((100, 100, 3), np.uint8)
    dot[46:54, 46:54] = 255
    for image in light(np.stack([dot] * 200), generator()):
        rows, columns = np.nonzero(image[..., 0] > 127)
        assert abs(rows.mean() - 49.5) <= 6
        assert abs(columns.mean() - 49.5) <= 6


def test_light_keeps_a_plain_picture_plain() -> None:
    plain = np.full((8, 64, 64, 3), 77, np.uint8)
    np.testing.assert_array_equal(light(plain, generator()), plain)


@pytest.mark.parametrize("step", ["recolour", "smooth", "blur", "sharpen", "grain", "rescale", "compress"])
def test_every_filter_changes_a_picture_and_leaves_it_recognisable(step: str) -> None:
    image, rng = picture(3, 128), generator()
    more = (128,) if step in ("smooth", "blur", "sharpen", "grain") else ()
    changed = [getattr(filters, step)(image, rng, *more) for _ in range(30)]
    assert any(not np.array_equal(one, image) for one in changed)
    assert all(one.shape == image.shape for one in changed)
    reference = image.astype(float).ravel()
    assert min(np.corrcoef(one.ravel(), reference)[0, 1] for one in changed) > 0.7


def test_a_grey_picture_has_no_colour() -> None:
    assert np.ptp(filters.grey(picture(3, 64)), axis=2).max() == 0


def test_colours_keep_their_order_through_compression() -> None:
    red = np.zeros((64, 64, 3), np.uint8)
    red[..., 0] = 200
    assert filters.compress(red, generator())[32, 32].argmax() == 0


def test_the_names_are_those_of_the_command_line() -> None:
    assert list(AUGMENTATIONS) == ["none", "light", "delivery"]


def test_a_third_of_the_delivered_pictures_have_their_own_pixels() -> None:
    colours = np.arange(64, dtype=np.uint8) * 4
    stripes = np.repeat(colours[None, :, None], 64, axis=0).repeat(3, axis=2)
    changed = delivery(np.stack([stripes] * 400), generator())
    kept = np.mean([np.isin(image, colours).all() for image in changed])
    assert 0.3 < kept < 0.42


def test_more_channels_are_moved_and_not_filtered(images: NDArray[np.uint8]) -> None:
    for change in (light, delivery):
        mask = np.zeros((24, 64, 64, 1), np.uint8)
        mask[:, 20:44, 20:44] = 255
        changed = change(np.concatenate([images, mask], axis=-1), generator())
        assert changed.shape == (24, 64, 64, 4)
        # Edges are interpolated; inside and outside stay what they are.
        assert np.isin(changed[..., 3], (0, 255)).mean() > 0.85
        np.testing.assert_array_equal(changed[..., :3], change(images, generator()))
