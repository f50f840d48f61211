"""Autoencoders that rebuild the real pictures."""

import numpy as np
import pytest
from click.testing import CliRunner
from tests.prepared_faces import write_prepared

from unmask.cli.main import main
from unmask.errors import UnmaskError

pytestmark = pytest.mark.train


def smooth(folder):
    """Pictures that can be learned: slow waves instead of noise."""
    images = np.load(folder / "Train.npy")
    across = np.linspace(0, 3, images.shape[1])
    waves = [
        np.sin(across[:, None] * (1 + k % 3) + across * (k % 5) + k)[..., None] * (90, 60, 30) + 128
        for k in range(len(images))
    ]
    np.save(folder / "Train.npy", np.array(waves).astype(np.uint8))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = write_prepared(tmp_path_factory.mktemp("rebuilt") / "prepared")
    smooth(folder)
    result = CliRunner().invoke(main, ["reconstruct", str(folder), "--steps", "60"])
    assert result.exit_code == 0, result.output
    assert "--reconstruct 0.3" in result.output
    return folder


def test_real_pictures_are_rebuilt_and_fakes_left_out(folder):
    from unmask.data.prepared import load_prepared

    images, made = np.load(folder / "Train.npy"), np.load(folder / "Train.reconstructed.npy")
    labels = load_prepared(folder).labels("Train")
    assert (made.shape, made.dtype) == (images.shape, np.uint8)
    assert not made[labels == 1].any()
    reals, rebuilt = images[labels == 0].astype(float), made[labels == 0].astype(float)
    error = np.abs(reals - rebuilt).mean(axis=(1, 2, 3))
    assert error.min() > 0
    assert error.mean() < 0.5 * np.abs(reals - reals.mean()).mean()
    assert not list(folder.glob("*.part"))


def test_the_same_seed_rebuilds_alike(folder, tmp_path):
    from unmask.train.reconstruct import reconstruct

    other = write_prepared(tmp_path / "prepared")
    smooth(other)
    told = []
    reconstruct(other, steps=60, progress=lambda *what: told.append(what))
    first, second = (np.load(one / "Train.reconstructed.npy").astype(int) for one in (folder, other))
    assert np.abs(first - second).max() <= 1
    assert {what for what, _, _ in told} == {"transposed", "doubled", "rebuilding"}
    assert told[-1] == ("rebuilding", 24, 24)


def test_a_side_that_is_no_multiple_of_eight_is_kept():
    from unmask.train.reconstruct import autoencoder, rebuilt

    images = np.random.default_rng(0).integers(0, 256, (2, 30, 30, 3), dtype=np.uint8)
    for kind in ("transposed", "doubled"):
        assert rebuilt(autoencoder(kind), images).shape == images.shape


def test_a_run_learns_from_them(folder, tmp_path):
    out = tmp_path / "run"
    command = [
        "train",
        "--data",
        str(folder),
        "--reconstruct",
        "0.5",
        "--blend",
        "0.3",
        "--epochs",
        "1",
        "--batch-size",
        "16",
    ]
    result = CliRunner().invoke(main, [*command, "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert "reconstruct = 0.5" in (out / "run.toml").read_text()


def test_a_run_on_pictures_that_were_not_rebuilt_is_refused(tmp_path):
    folder = write_prepared(tmp_path / "prepared")
    result = CliRunner().invoke(
        main, ["train", "--data", str(folder), "--reconstruct", "0.5", "--out", str(tmp_path / "run")]
    )
    assert result.exit_code == 2
    assert f"hint: Let it: unmask reconstruct {folder}" in result.output


def test_train_without_real_pictures_is_refused(tmp_path):
    from unmask.train.reconstruct import reconstruct

    with pytest.raises(UnmaskError, match="no real pictures"):
        reconstruct(write_prepared(tmp_path / "prepared", only=1))


def test_a_folder_without_train_is_refused(tmp_path):
    from unmask.train.reconstruct import reconstruct

    folder = write_prepared(tmp_path / "prepared")
    (folder / "Train.npy").unlink()
    with pytest.raises(UnmaskError, match="Train"):
        reconstruct(folder)


def test_the_same_draw_gives_the_same_batch(folder):
    from unmask.train.config import make_config
    from unmask.train.source import open_source
    from unmask.train.transform import change_of

    source = open_source(folder, "Train")
    change = change_of(make_config(data=str(folder), reconstruct=0.7), source)
    indexes = np.arange(len(source))[::-1].copy()
    images, labels = source.read(indexes), source.labels[indexes]
    (first, after), (second, again) = (change(images, labels, indexes, np.random.default_rng(4)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(after, again)
    turned = after != labels
    assert 8 <= turned.sum() <= 23
    assert (labels[turned] == 0).all()
    # Each from its own picture: nearer to that one than to any other.
    apart = np.abs(first[turned].astype(float)[:, None] - images[None].astype(float)).mean(axis=(2, 3, 4))
    assert (apart.argmin(axis=1) == np.flatnonzero(turned)).all()


def test_a_taken_source_finds_its_own(folder):
    from unmask.train.source import open_source

    source = open_source(folder, "Train")
    few = source.taken(np.array([10, 4, 30]))
    np.testing.assert_array_equal(
        few.find_reconstructions()(np.array([2, 0])), source.find_reconstructions()(np.array([30, 10]))
    )


def test_pictures_straight_from_folders_are_refused(tmp_path):
    from unmask.train.config import make_config
    from unmask.train.transform import change_of

    with pytest.raises(UnmaskError, match="prepared folder") as caught:
        change_of(make_config(data="here", reconstruct=0.5))
    assert "unmask reconstruct" in caught.value.hint
    assert caught.value.code == "no-reconstructions"
