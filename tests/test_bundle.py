import contextlib
import errno
import json
import os
import shutil
import stat
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.toy_bundle import toy_graph, toy_info, write_toy_bundle
from unmask.bundle import BundleInfo, read_bundle, write_bundle
from unmask.errors import UnmaskError
from unmask.system.atomic import atomic_write


@pytest.fixture
def bundle(toy_bundle, tmp_path):
    return Path(shutil.copytree(toy_bundle, tmp_path / "bundle"))


def edit(folder, change):
    path = folder / "bundle.json"
    info = json.loads(path.read_text())
    change(info)
    path.write_text(json.dumps(info))


def refusal(folder):
    with pytest.raises(UnmaskError) as caught:
        read_bundle(folder)
    assert caught.value.hint
    return caught.value.code


def test_what_was_written_is_read_back(bundle):
    read = read_bundle(bundle)
    assert read.info.model_copy(update={"files": {}}) == toy_info()
    assert read.model == toy_graph()
    assert read.label == "toy 0.1"


def test_the_label_map_is_written_out(bundle):
    assert json.loads((bundle / "bundle.json").read_text())["label_map"] == {"real": 0, "fake": 1}


@pytest.mark.parametrize("name", ["model.onnx", "MODEL_CARD.md"])
def test_a_changed_file_is_refused(bundle, name):
    with (bundle / name).open("ab") as file:
        file.write(b" ")
    assert refusal(bundle) == "bundle-hash"


@pytest.mark.parametrize("name", ["model.onnx", "MODEL_CARD.md", "bundle.json"])
def test_a_missing_file_is_refused(bundle, name):
    (bundle / name).unlink()
    assert refusal(bundle) == "no-bundle"


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    assert refusal(tmp_path / "nowhere") == "no-bundle"


@pytest.mark.parametrize(
    "change",
    [
        lambda info: info.update(surprise=1),
        lambda info: info.update(format=2),
        lambda info: info.update(label_map={"real": 1, "fake": 0}),
        lambda info: info.update(temperature=0),
        lambda info: info.update(temperature="NaN"),
        lambda info: info.update(default_policy="none"),
        lambda info: info["policies"]["balanced"].update(real_below=0.9),
        lambda info: info.pop("training_data"),
        lambda info: info["files"].pop("model.onnx"),
        lambda info: info["files"].pop("MODEL_CARD.md"),
        lambda info: info["files"].update({"../outside": "0" * 64}),
        lambda info: info["files"].update({"/etc/hostname": "0" * 64}),
    ],
)
def test_a_description_that_is_not_right_is_refused(bundle, change):
    edit(bundle, change)
    assert refusal(bundle) == "bad-bundle"


def test_a_description_that_is_no_json_is_refused(bundle):
    (bundle / "bundle.json").write_text("{")
    assert refusal(bundle) == "bad-bundle"


def test_a_bundle_is_replaced_as_a_whole(bundle):
    write_toy_bundle(bundle, bias=2.0)
    assert read_bundle(bundle).model == toy_graph(bias=2.0)
    assert sorted(os.listdir(bundle)) == ["MODEL_CARD.md", "bundle.json", "model.onnx"]


@pytest.mark.skipif(os.name != "posix", reason="folders have no such modes here")
def test_a_bundle_that_is_replaced_keeps_who_may_read_it(bundle):
    bundle.chmod(0o2710)
    write_toy_bundle(bundle, bias=2.0)
    assert stat.S_IMODE(bundle.stat().st_mode) == 0o2710


@pytest.mark.parametrize("steps", range(12))
def test_whenever_replacing_a_bundle_breaks_off_one_whole_bundle_is_there(bundle, monkeypatch, steps):
    """Every change of the file system may be the last; the one that would undo is lost with it, as in a power cut."""
    left = [steps]

    def dying(act):
        def step(*arguments, **options):
            if not left[0]:
                raise KeyboardInterrupt
            left[0] -= 1
            return act(*arguments, **options)

        return step

    with monkeypatch.context() as patch:
        for name in ("rename", "replace"):
            patch.setattr(Path, name, dying(getattr(Path, name)))
        patch.setattr(shutil, "rmtree", dying(shutil.rmtree))
        with contextlib.suppress(KeyboardInterrupt):
            write_toy_bundle(bundle, bias=2.0)
    aside = bundle.with_name(".bundle.replaced")
    found = read_bundle(bundle if bundle.exists() else aside).model
    assert found in (toy_graph(), toy_graph(bias=2.0))
    write_toy_bundle(bundle, bias=3.0)
    assert read_bundle(bundle).model == toy_graph(bias=3.0)
    assert not aside.exists()


def test_a_new_bundle_that_finds_no_room_leaves_nothing_in_its_place(tmp_path, monkeypatch):
    def card_finds_the_disk_full(path, *mode, **options):
        if path.name == "MODEL_CARD.md":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return atomic_write(path, *mode, **options)

    with monkeypatch.context() as patch:
        patch.setattr("unmask.bundle.atomic_write", card_finds_the_disk_full)
        with pytest.raises(UnmaskError, match="No space left") as caught:
            write_toy_bundle(tmp_path / "made" / "bundle")
    assert "room" in caught.value.hint
    assert os.listdir(tmp_path / "made") == []
    assert read_bundle(write_toy_bundle(tmp_path / "made" / "bundle")).label == "toy 0.1"


def test_two_programs_that_write_one_new_bundle_do_not_mix_theirs(tmp_path, monkeypatch):
    """The second writes its own, whole, just before the first takes the name."""
    rename = Path.rename

    def late(path, target):
        monkeypatch.setattr(Path, "rename", rename)
        write_toy_bundle(tmp_path / "bundle", bias=2.0)
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", late)
    with pytest.raises(UnmaskError, match="cannot write the bundle"):
        write_toy_bundle(tmp_path / "bundle", bias=1.0)
    assert read_bundle(tmp_path / "bundle").model == toy_graph(bias=2.0)
    assert os.listdir(tmp_path) == ["bundle"]


def test_a_bundle_behind_a_link_comes_back_after_replacing_it_broke_off(bundle, tmp_path):
    (tmp_path / "link").symlink_to("bundle")
    bundle.rename(tmp_path / ".bundle.replaced")
    write_toy_bundle(tmp_path / "link", bias=2.0)
    assert read_bundle(tmp_path / "link").model == toy_graph(bias=2.0)
    assert sorted(os.listdir(tmp_path)) == ["bundle", "link"]


@pytest.mark.parametrize("inside", ["", "notes"])
def test_a_bundle_is_not_replaced_from_within(bundle, monkeypatch, inside):
    (bundle / "notes").mkdir()
    monkeypatch.chdir(bundle / inside)
    with pytest.raises(UnmaskError, match="from within"):
        write_toy_bundle(bundle, bias=2.0)
    assert read_bundle(bundle).model == toy_graph()


def test_what_else_lies_in_a_replaced_bundle_stays(bundle):
    (bundle / "notes.txt").write_text("mine")
    write_toy_bundle(bundle, bias=2.0)
    assert (bundle / "notes.txt").read_text() == "mine"
    assert os.listdir(bundle.parent) == ["bundle"]


def test_names_that_are_no_utf8_are_written_with_a_question_mark(tmp_path):
    latin = "K\udcf6ln"  # as Python reads Latin-1 in a manifest or in a folder's name
    info = toy_info(training_data={"name": latin, "terms": "", "counts": {}, "methods": {latin: 1}})
    folder = write_bundle(tmp_path / "bundle", info, b"", f"# {latin}")
    assert read_bundle(folder).info.training_data.name == "K?ln"
    assert (folder / "MODEL_CARD.md").read_text(encoding="utf-8") == "# K?ln"


def test_a_folder_with_other_things_in_it_is_not_written_to(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UnmaskError) as caught:
        write_toy_bundle(tmp_path)
    assert caught.value.code == "bad-output"
    assert os.listdir(tmp_path) == ["thesis.txt"]


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "bundle").write_text("mine")
    with pytest.raises(UnmaskError, match="is a file"):
        write_bundle(tmp_path / "bundle", toy_info(), b"", "")


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UnmaskError, match="cannot write the bundle"):
        write_bundle(tmp_path / "file" / "bundle", toy_info(), b"", "")


def test_unknown_keys_are_refused_when_made_by_hand():
    with pytest.raises(ValueError, match="surprise"):
        BundleInfo.model_validate({**toy_info().model_dump(), "surprise": 1})


def test_where_the_recipe_of_the_shipped_bundle_lies_is_documented():
    text = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    section = text.partition("## The shipped detector")[2].partition("\n## ")[0]
    shipped = read_bundle().info
    assert f"{shipped.name} {shipped.version}" in section
    assert "`benchmarks/build_default.py`" in section
    assert (ROOT / "benchmarks/build_default.py").is_file()
