"""Batches for Keras."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.data.pictures import write_dataset

from unmask.data.prepare import prepare
from unmask.errors import UnmaskError

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("set") / "data", 5, splits=("Train", "Validation"))


def noise(images: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    return images ^ rng.integers(0, 4, images.shape).astype(np.uint8)


def from_folder(dataset: Path, **settings: Any) -> Any:
    from unmask.data.sequence import ImageSequence

    return ImageSequence(dataset, "Train", size=64, batch_size=4, **settings)


def from_prepared(dataset: Path, folder: Path, **settings: Any) -> Any:
    from unmask.data.sequence import ImageSequence

    return ImageSequence(prepare(dataset, folder, size=64).folder, "Train", batch_size=4, **settings)


def test_batches_are_uint8_pictures_and_float_labels(dataset: Path) -> None:
    images, labels = from_folder(dataset)[0]
    assert (images.shape, images.dtype) == ((4, 64, 64, 3), np.uint8)
    assert (labels.shape, labels.dtype) == ((4,), np.float32)


def test_an_epoch_holds_every_picture_once(dataset: Path) -> None:
    sequence = from_folder(dataset)
    assert [len(sequence[index][1]) for index in range(len(sequence))] == [4, 4, 2]
    assert sorted(sequence.batches.order(0)) == list(range(10))


def test_folders_and_prepared_pictures_give_the_same_batches(dataset: Path, tmp_path: Path) -> None:
    decoded, prepared = from_folder(dataset, augment=noise), from_prepared(dataset, tmp_path / "out", augment=noise)
    for index in range(len(decoded)):
        for left, right in zip(decoded[index], prepared[index], strict=True):
            np.testing.assert_array_equal(left, right)


def test_every_epoch_has_another_order_and_the_same_seed_the_same(dataset: Path) -> None:
    sequence = from_folder(dataset, seed=3)
    first = sequence.batches.order(0)
    sequence.on_epoch_end()
    assert sequence.epoch == 1
    assert first.tolist() != sequence.batches.order(1).tolist()
    assert first.tolist() == from_folder(dataset, seed=3).batches.order(0).tolist()


def test_a_run_that_goes_on_gets_the_batches_it_would_have_got(dataset: Path) -> None:
    unbroken, resumed = from_folder(dataset, augment=noise), from_folder(dataset, augment=noise, epoch=1)
    unbroken.on_epoch_end()
    np.testing.assert_array_equal(unbroken[2][0], resumed[2][0])


def test_without_shuffling_the_order_is_that_of_the_folder(dataset: Path) -> None:
    assert from_folder(dataset, shuffle=False)[1][1].tolist() == [0, 1, 1, 1]


def fit(sequence: Any, **settings: Any) -> list[Any]:
    import keras

    from unmask.data.sequence import FollowEpoch

    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((64, 64, 3), dtype="uint8"), keras.layers.Rescaling(1 / 255)])
    model.add(keras.layers.GlobalAveragePooling2D())
    model.add(keras.layers.Dense(1, activation="sigmoid"))
    model.compile("sgd", "binary_crossentropy")
    seen: list[Any] = []
    source = sequence.batches.source

    def read(indexes: NDArray[np.int64]) -> NDArray[np.uint8]:
        seen.append((sequence.epoch, tuple(indexes)))
        return source.read(indexes)

    sequence.batches = replace(sequence.batches, source=replace(source, read=read))
    history = model.fit(sequence, verbose=0, callbacks=[FollowEpoch(sequence)], **settings)
    assert np.isfinite(history.history["loss"]).all()
    return seen


def test_keras_sees_the_epochs_by_their_numbers(dataset: Path) -> None:
    sequence = from_folder(dataset, workers=2)
    seen = fit(sequence, epochs=2)
    assert sequence.epoch == 1
    for epoch in (0, 1):
        order = sequence.batches.order(epoch)
        assert {(epoch, tuple(order[start : start + 4])) for start in (0, 4, 8)} <= set(seen)


def test_keras_goes_on_with_the_same_batches(dataset: Path) -> None:
    unbroken = fit(from_folder(dataset, workers=2), epochs=2)
    resumed = fit(from_folder(dataset, workers=2), epochs=2, initial_epoch=1)
    assert {batch for batch in unbroken if batch[0] == 1} == {batch for batch in resumed if batch[0] == 1}


def test_a_picture_that_cannot_be_read_stops_with_its_name(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path, 2, splits=("Train",))
    (dataset / "Train/Real/real_000.jpg").write_bytes(b"no picture" * 300)
    with pytest.raises(UnmaskError, match=r"real_000\.jpg") as caught:
        from_folder(dataset, shuffle=False)[0]
    assert "unmask prepare" in caught.value.hint


def test_a_folder_alone_is_enough(dataset: Path) -> None:
    from unmask.data.sequence import ImageSequence

    sequence = ImageSequence(dataset, batch_size=4)
    assert (len(sequence), sequence[0][0].shape) == (3, (4, 128, 128, 3))


def test_a_split_that_is_not_there_is_refused(dataset: Path) -> None:
    from unmask.data.sequence import ImageSequence

    with pytest.raises(UnmaskError, match="no Test split"):
        ImageSequence(dataset, "Test")


def test_an_empty_batch_is_refused(dataset: Path) -> None:
    from unmask.data.sequence import ImageSequence

    with pytest.raises(UnmaskError, match="batch of 0"):
        ImageSequence(dataset, "Train", batch_size=0)
