import numpy as np
import pytest
from tests.data.pictures import write_dataset
from tests.prepared_faces import SIZE, write_prepared

from unmask.data.source import open_source
from unmask.errors import UnmaskError
from unmask.image.encode import encode_png


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Two pictures a class, as files."""
    root = tmp_path_factory.mktemp("dataset")
    generator = np.random.default_rng(0)
    for split in ("Train", "Validation"):
        for name in ("Real", "Fake"):
            (root / split / name).mkdir(parents=True)
            for index in range(2):
                pixels = generator.integers(0, 256, (64, 64, 3), dtype=np.uint8)
                (root / split / name / f"{index}.png").write_bytes(encode_png(pixels))
    return root


def test_a_prepared_folder_is_read_by_index(prepared):
    source = open_source(prepared, "Train")
    images = source.read(np.array([5, 0]))
    assert (images.shape, images.dtype, source.size) == ((2, SIZE, SIZE, 3), np.uint8, SIZE)
    np.testing.assert_array_equal(images[1], source.read(np.array([0]))[0])
    assert source.origins[0] == "a"
    assert source.methods[:2].tolist() == ["", "dark"]
    assert source.taken(np.array([1, 3])).methods.tolist() == ["dark", "dark"]


def test_pictures_come_straight_from_folders_too(dataset):
    source = open_source(dataset, "Train", 48)
    assert source.read(np.arange(4)).shape == (4, 48, 48, 3)
    assert source.labels.tolist() == [0, 0, 1, 1]


def test_a_prepared_folder_of_another_size_is_refused(prepared):
    with pytest.raises(UnmaskError, match="32 px wide, not 64") as caught:
        open_source(prepared, "Train", 64)
    assert "--size 64" in caught.value.hint


def test_a_class_without_pictures_is_refused(tmp_path):
    folder = write_prepared(tmp_path / "reals", only=0)
    with pytest.raises(UnmaskError, match="no fake pictures") as caught:
        open_source(folder, "Train")
    assert caught.value.code == "class-missing"


def test_a_prepared_split_without_pictures_lacks_a_class_and_not_its_folder(tmp_path):
    folder = write_prepared(tmp_path / "prepared")
    manifest = (folder / "manifest.csv").read_text().splitlines(keepends=True)
    (folder / "manifest.csv").write_text("".join(line for line in manifest if not line.startswith("Test/")))
    with pytest.raises(UnmaskError, match=r"Test of .* has no real pictures") as caught:
        open_source(folder, "Test")
    assert caught.value.code == "class-missing"


def test_rows_of_a_manifest_that_name_no_file_are_noted(tmp_path):
    root = write_dataset(tmp_path / "data", 1, splits=("Train",))
    (root / "manifest.csv").write_text("path,group\nTrain\\Real\\real_000.jpg,g1\nTrain/Fake/gone.jpg,g2\n")
    notes = []
    source = open_source(root, "Train", on_note=notes.append)
    assert source.groups.tolist() == ["g1", ""]
    assert "1 of 2 rows of manifest.csv name no file, such as Train/Fake/gone.jpg." in notes
