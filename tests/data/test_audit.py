"""What would spoil a result, and taking it out."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.data.pictures import jpeg, picture, write_dataset
from tests.video.clips import animation

from unmask.cli.data import audit as verb
from unmask.cli.data import prepare as prepare_verb
from unmask.cli.main import main
from unmask.data.audit import Audit, Cluster, _removals, audit, write_fixed
from unmask.data.audit_page import audit_page
from unmask.data.manifest import Row
from unmask.data.prepare import prepare
from unmask.data.prepared import load_prepared
from unmask.errors import UnmaskError

pytestmark = pytest.mark.train


def put(root: Path, name: str, seed: int, quality: int = 92) -> None:
    path = root / "data" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(jpeg(picture(seed, 160), quality))


def audited(root: Path) -> Audit:
    return audit(prepare(root / "data", root / "out", size=64))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_dataset(tmp_path / "data", 4)
    return tmp_path


def test_a_clean_set_has_no_warnings(root: Path) -> None:
    found = audited(root)
    assert found.warnings == ()
    assert found.removals == {}


def test_a_copy_across_splits_is_taken_out_of_train_and_stays_in_test(root: Path) -> None:
    put(root, "Train/Real/x.jpg", 500)
    put(root, "Test/Real/y.jpg", 500, 60)
    assert audited(root).removals == {"Train/Real/x.jpg": "copy-in-test"}


def test_a_copy_within_a_split_leaves_one(root: Path) -> None:
    for name in "xyz":
        put(root, f"Train/Fake/{name}.jpg", 500, 60 + ord(name) % 20)
    found = audited(root)
    assert found.removals == {"Train/Fake/y.jpg": "copy", "Train/Fake/z.jpg": "copy"}
    assert any(warning.startswith("2 pictures are copies") for warning in found.warnings)


def test_one_fix_takes_out_all_copies_of_a_clip_that_is_copied_from_another(root: Path) -> None:
    for number, name in enumerate("xyz"):
        put(root, f"Train/Fake/{name}.jpg", 500, 60 + 7 * number)
    grouped(root, "Train/Fake/x.jpg,,,one", "Train/Fake/y.jpg,,,two", "Train/Fake/z.jpg,,,two")
    assert audited(root).removals == {"Train/Fake/y.jpg": "copy", "Train/Fake/z.jpg": "copy"}


def test_the_same_bytes_under_both_labels_are_taken_out_twice(root: Path) -> None:
    put(root, "Train/Real/x.jpg", 500)
    put(root, "Train/Fake/x.jpg", 500)
    found = audited(root)
    assert set(found.removals.values()) == {"both-real-and-fake"}
    assert any("both real and fake" in warning for warning in found.warnings)


def test_a_real_picture_and_its_fake_may_look_alike_in_one_split(root: Path) -> None:
    put(root, "Train/Real/x.jpg", 500)
    put(root, "Train/Fake/x.jpg", 500, 60)
    found = audited(root)
    assert len(found.suspicious) == 1
    assert found.removals == {}
    assert found.warnings == ()


def grouped(root: Path, *lines: str) -> None:
    (root / "data" / "manifest.csv").write_text("path,source,method,group\n" + "\n".join(lines) + "\n")


def test_frames_of_one_clip_are_expected_to_look_alike(root: Path) -> None:
    put(root, "Train/Real/x.jpg", 500)
    put(root, "Train/Real/y.jpg", 500, 60)
    grouped(root, "Train/Real/x.jpg,,,clip", "Train/Real/y.jpg,,,clip")
    found = audited(root)
    assert len(found.clusters) == 1
    assert found.suspicious == ()
    assert found.removals == {}


def test_a_group_in_two_splits_leaves_train(root: Path) -> None:
    grouped(root, "Train/Real/real_000.jpg,,,clip", "Test/Real/real_000.jpg,,,clip")
    found = audited(root)
    assert found.leaking_groups == {"clip": 2}
    assert found.removals == {"Train/Real/real_000.jpg": "group-also-in-test"}


def test_a_source_of_one_class_is_named(root: Path) -> None:
    for number in range(10):
        put(root, f"Train/Real/x{number}.jpg", 500 + number)
    grouped(root, *(f"Train/Real/x{number}.jpg,studio,," for number in range(10)))
    assert any("source studio has only real" in warning for warning in audited(root).warnings)


def test_imbalance_is_named(root: Path) -> None:
    for number in range(10):
        put(root, f"Train/Real/x{number}.jpg", 500 + number)
    assert any(warning.startswith("Train is out of balance") for warning in audited(root).warnings)


def test_the_fixed_manifest_leaves_the_offending_rows_out_and_nothing_is_lost(root: Path) -> None:
    put(root, "Train/Real/a.jpg", 500)
    put(root, "Test/Real/y.jpg", 500, 60)
    found = audited(root)
    before = (root / "out" / "manifest.csv").read_bytes()
    write_fixed(found)
    fixed = load_prepared(root / "out")
    assert "Train/Real/a.jpg" not in {row.path for row in fixed.manifest}
    assert len(fixed.images("Train")) == len(fixed.labels("Train")) == 8
    assert (root / "out" / "manifest.before-fix.csv").read_bytes() == before
    with (root / "out" / "removed.csv").open() as file:
        assert [(row["path"], row["reason"]) for row in csv.DictReader(file)] == [("Train/Real/a.jpg", "copy-in-test")]
    assert audit(fixed).removals == {}


def test_a_second_fix_adds_to_what_was_removed(root: Path) -> None:
    put(root, "Train/Real/x.jpg", 500)
    put(root, "Test/Real/y.jpg", 500, 60)
    write_fixed(audited(root))
    before = (root / "out" / "manifest.before-fix.csv").read_bytes()
    removed = (root / "out" / "removed.csv").read_bytes()
    write_fixed(audit(load_prepared(root / "out")))
    assert (root / "out" / "removed.csv").read_bytes() == removed
    assert (root / "out" / "manifest.before-fix.csv").read_bytes() == before


def test_a_row_that_was_put_back_is_listed_once_when_it_is_removed_again(root: Path) -> None:
    put(root, "Train/Real/x.jpg", 500)
    put(root, "Test/Real/y.jpg", 500, 60)
    write_fixed(audited(root))
    removed = (root / "out" / "removed.csv").read_bytes()
    shutil.copyfile(root / "out" / "manifest.before-fix.csv", root / "out" / "manifest.csv")
    write_fixed(audit(load_prepared(root / "out")))
    assert (root / "out" / "removed.csv").read_bytes() == removed


def test_preparing_again_after_a_fix_counts_what_is_left(root: Path) -> None:
    put(root, "Train/Real/x.jpg", 500)
    put(root, "Test/Real/y.jpg", 500, 60)
    write_fixed(audited(root))
    assert prepare(root / "data", root / "out", size=64).counts["Train"] == {"real": 4, "fake": 4, "rejected": 0}
    result = CliRunner().invoke(prepare_verb, [str(root / "data"), "--out", str(root / "out"), "--size", "64"])
    assert "taken out by unmask audit --fix: 1" in result.output


def test_a_fix_that_would_leave_nothing_is_refused(tmp_path: Path) -> None:
    write_dataset(tmp_path / "data", 2)
    for split in ("Train", "Validation"):
        shutil.rmtree(tmp_path / "data" / split)
        shutil.copytree(tmp_path / "data" / "Test", tmp_path / "data" / split)
    with pytest.raises(UnmaskError, match="Nothing would be left"):
        write_fixed(audited(tmp_path))
    result = CliRunner().invoke(verb, [str(tmp_path / "out"), "--fix"])
    assert isinstance(result.exception, UnmaskError)
    assert "Look at the audit's page" in result.exception.hint
    assert (tmp_path / "out" / "audit.html").is_file()


def test_a_class_that_was_empty_before_does_not_keep_copies_from_being_taken_out(root: Path) -> None:
    put(root, "Train/Real/x.jpg", 500)
    put(root, "Train/Real/y.jpg", 500, 60)
    for file in (root / "data/Validation/Fake").iterdir():
        file.write_bytes(b"no picture")
    write_fixed(audited(root))
    assert "Train/Real/y.jpg" not in {row.path for row in load_prepared(root / "out").manifest}


def test_the_only_good_copy_stays_where_the_others_are_taken_out() -> None:
    train, other = (Row(f"Train/Real/{name}.jpg", "Train", 0, 0, name, group=name) for name in "ab")
    both = [Row(f"Test/{label}.jpg", "Test", label, 0, "c", group=f"c{label}") for label in (0, 1)]
    found = (Cluster((train, other, *both)),)
    marks = dict.fromkeys((row.path for row in both), "both-real-and-fake")
    assert _removals([train, other, *both], found, {}) == marks | {other.path: "copy"}
    leaking = Row("Validation/Real/d.jpg", "Validation", 0, 0, "d", group="g")
    test = Row("Test/Real/e.jpg", "Test", 0, 0, "e", group="g")
    removals = _removals([train, leaking, test], (Cluster((train, leaking)),), {"g": 2})
    assert removals == {leaking.path: "group-also-in-test"}


def test_the_page_shows_examples_and_loads_nothing(root: Path) -> None:
    put(root, "Train/Real/<b>x.jpg", 500)
    put(root, "Test/Real/y.jpg", 500, 60)
    page = audit_page(audited(root))
    assert page.count("data:image/jpeg;base64,") == 2
    assert "Train/Real/&lt;b&gt;x.jpg" in page
    assert "http" not in page


def test_the_page_takes_the_place_of_no_picture(root: Path) -> None:
    put(root, "Train/Real/x.jpg", 500)
    photo = root / "data" / "Train" / "Real" / "x.jpg"
    before = photo.read_bytes()
    prepare(root / "data", root / "out", size=64)
    result = CliRunner().invoke(main, ["audit", str(root / "out"), "--html", str(photo)])
    assert result.exit_code == 2, result.output
    assert "would be overwritten" in result.output
    assert photo.read_bytes() == before


def test_the_verb_prints_warnings_and_writes_the_page(root: Path) -> None:
    put(root, "Train/Real/x.jpg", 500)
    put(root, "Test/Real/y.jpg", 500, 60)
    prepare(root / "data", root / "out", size=64)
    result = CliRunner().invoke(verb, [str(root / "out"), "--fix"])
    assert result.exit_code == 0, result.output
    assert "2 pictures have a copy in another split" in result.output
    assert "1 rows were taken out" in result.output
    assert (root / "out" / "audit.html").is_file()


def test_frames_of_a_clip_may_look_alike_and_a_clip_in_two_splits_leaks(root: Path) -> None:
    clip = animation("GIF", frames=12)
    (root / "data/Train/Real/x.gif").write_bytes(clip)
    (root / "data/Test/Real/y.gif").write_bytes(clip)
    (root / "data/Test/Fake/z.gif").write_bytes(animation("GIF", frames=12, size=(80, 200)))
    found = audited(root)
    assert set(found.removals.values()) == {"copy-in-test"}
    assert [path.split("#")[0] for path in found.removals] == ["Train/Real/x.gif"] * 12
    assert found.one_sided == ()
