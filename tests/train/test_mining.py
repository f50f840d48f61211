"""Hard examples and wrong labels."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.prepared_faces import write_prepared

from unmask.data.manifest import read_manifest, write_manifest
from unmask.errors import UnmaskError
from unmask.train.contact_sheet import write_contact_sheet
from unmask.train.hard_examples import judged_examples
from unmask.train.label_errors import probably_mislabelled, self_confidence


def logits_of(fake: Any) -> Any:
    return np.log(np.asarray(fake) / (1 - np.asarray(fake)))


def test_self_confidence_is_what_the_given_label_gets() -> None:
    np.testing.assert_allclose(self_confidence(np.array([0, 1]), np.array([0.2, 0.3])), [0.8, 0.3])


def test_a_picture_that_looks_more_like_the_other_class_than_its_pictures_do_is_probably_mislabelled() -> None:
    labels = np.array([0] * 10 + [1] * 10)
    fake = np.array([0.1] * 9 + [0.95] + [0.9] * 9 + [0.02])
    assert np.flatnonzero(probably_mislabelled(labels, logits_of(fake))).tolist() == [9, 19]


def test_an_unsure_picture_is_hard_and_not_mislabelled() -> None:
    labels = np.array([0] * 10 + [1] * 10)
    fake = np.array([0.1] * 9 + [0.6] + [0.9] * 9 + [0.4])
    assert not probably_mislabelled(labels, logits_of(fake)).any()


def test_a_model_that_knows_nothing_finds_no_wrong_labels() -> None:
    assert not probably_mislabelled(np.arange(20) % 2, np.zeros(20)).any()


def test_a_model_that_is_right_by_chance_calls_no_label_wrong() -> None:
    rng = np.random.default_rng(0)
    assert not probably_mislabelled(np.arange(400) % 2, logits_of(rng.uniform(0.3, 0.7, 400))).any()


@pytest.mark.parametrize(
    ("labels", "logits", "code"),
    [
        ([0, 1], [0.5], "length-mismatch"),
        ([0, 2], [0.5, 0.5], "bad-labels"),
        ([1, 1], [0.5, 0.5], "one-class"),
        ([0, 1], [0.5, np.nan], "not-a-number"),
    ],
)
def test_scores_that_cannot_be_judged_are_refused(labels: list[int], logits: list[float], code: str) -> None:
    with pytest.raises(UnmaskError) as caught:
        probably_mislabelled(labels, logits)
    assert caught.value.code == code


def test_the_worst_come_first_where_all_scores_are_one(prepared: Path) -> None:
    rows = [row for row in read_manifest(prepared / "manifest.csv") if row.split == "Train"][:4]
    logits = np.array([50.0, 60.0, 45.0, 70.0])
    found = judged_examples(rows, np.array([0, 0, 0, 1]), logits, logits)
    assert [example.path for example in found] == [rows[place].path for place in (1, 0, 2, 3)]
    assert {example.score for example in found} == {1.0}


def test_a_contact_sheet_is_a_picture_even_of_nothing(tmp_path: Path) -> None:
    images = [np.full((40, 40, 3), 30 * number, np.uint8) for number in range(7)]
    write_contact_sheet(tmp_path / "some.png", images, [("real", "a/very/long/path/indeed.jpg")] * 7, "Some")
    write_contact_sheet(tmp_path / "none.png", [], [], "None")
    with Image.open(tmp_path / "some.png") as some, Image.open(tmp_path / "none.png") as none:
        assert some.width == none.width
        assert some.height > 112


@pytest.mark.train
def test_groups_stay_whole_and_parts_come_out_about_equal() -> None:
    from unmask.train.mining import assign_folds

    groups = [f"g{number}" for number in range(40) for _ in range(1 + number % 4)]
    fold = assign_folds(groups, 3, seed=1)
    assert all(
        len({int(part) for group, part in zip(groups, fold, strict=True) if group == name}) == 1 for name in set(groups)
    )
    sizes = np.bincount(fold)
    assert sizes.max() - sizes.min() <= 1


@pytest.mark.train
def test_fewer_groups_than_parts_are_refused() -> None:
    from unmask.train.mining import assign_folds

    with pytest.raises(UnmaskError, match="only 1 groups"):
        assign_folds(["a", "a"], 2, seed=1)


@pytest.fixture(scope="module")
def mined(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set with three wrong labels, a run on it, and what mining found; the folder that holds all three."""
    from unmask.train.config import make_config
    from unmask.train.loop import train
    from unmask.train.mining import mine

    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setattr("unmask.train.history._plot", lambda *_: b"")
    root = tmp_path_factory.mktemp("mining")
    data = write_prepared(root / "data")
    rows = list(read_manifest(data / "manifest.csv"))
    for split in ("Train", "Validation"):  # plain to see: what is fake is dark
        images = np.load(data / f"{split}.npy")
        images[1::2] //= 3
        np.save(data / f"{split}.npy", images)
    wrong = (3, 8, 20)
    write_manifest(
        data / "manifest.csv",
        (replace(row, label=1 - row.label) if number in wrong else row for number, row in enumerate(rows)),
    )
    train(make_config(data=str(data), epochs=6, batch_size=8, precision="float32"), root / "run")
    mine(root / "run", data, root / "mined", top=10)
    monkeypatch.undo()
    return root


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.train
def test_wrong_labels_are_told_from_hard_pictures(mined: Path) -> None:
    found = {row["path"] for row in rows_of(mined / "mined" / "mislabelled.csv")}
    assert len(found) >= 2
    assert found <= {"Train/3.jpg", "Train/8.jpg", "Train/20.jpg"}
    assert not found & {row["path"] for row in rows_of(mined / "mined" / "hard.csv")}


@pytest.mark.train
def test_hard_pictures_are_those_judged_wrongly_worst_first(mined: Path) -> None:
    hard, scores = rows_of(mined / "mined" / "hard.csv"), rows_of(mined / "mined" / "scores.csv")
    wrong = [row for row in scores if float(row["self_confidence"]) < 0.5 and row["mislabelled"] == "0"]
    assert 0 < len(wrong) < 48
    assert hard == wrong[:10]


@pytest.mark.train
def test_easy_pictures_are_not_hard_however_many_are_asked_for(mined: Path, tmp_path: Path) -> None:
    from unmask.train.mining import mine

    shutil.copytree(mined / "mined", tmp_path / "mined")
    found = mine(mined / "run", mined / "data", tmp_path / "mined", top=48)
    assert len(found.hard) == found.wrong
    assert all(example.self_confidence < 0.5 for example in found.hard)


@pytest.mark.train
def test_no_more_are_listed_than_asked_for(mined: Path, tmp_path: Path) -> None:
    from unmask.train.mining import mine

    shutil.copytree(mined / "mined", tmp_path / "mined")
    found = mine(mined / "run", mined / "data", tmp_path / "mined", top=1)
    assert (len(found.hard), found.wrong >= 1) == (1, True)


@pytest.mark.train
def test_every_training_picture_has_a_score(mined: Path) -> None:
    assert len(rows_of(mined / "mined" / "scores.csv")) == 48
    assert (mined / "mined" / "hard.png").is_file()
    assert (mined / "mined" / "mislabelled.png").is_file()


@pytest.mark.train
def test_mining_again_takes_what_is_there(mined: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from unmask.train import mining

    before = (mined / "mined" / "scores.csv").read_bytes()
    monkeypatch.setattr(mining, "train", None)
    mining.mine(mined / "run", mined / "data", mined / "mined", top=10)
    assert (mined / "mined" / "scores.csv").read_bytes() == before


@pytest.mark.train
@pytest.mark.parametrize("change", [{"label": 0}, {"group": "another"}])
def test_what_was_mined_from_other_data_is_neither_used_nor_deleted(
    mined: Path, tmp_path: Path, change: dict[str, Any]
) -> None:
    from unmask.train.mining import mine

    shutil.copytree(mined / "data", tmp_path / "data")
    out = shutil.copytree(mined / "mined", tmp_path / "mined")
    rows = list(read_manifest(tmp_path / "data" / "manifest.csv"))
    write_manifest(tmp_path / "data" / "manifest.csv", [*rows[:5], replace(rows[5], **change), *rows[6:]])
    before = sorted(out.rglob("*"))
    with pytest.raises(UnmaskError, match="from other data") as caught:
        mine(mined / "run", tmp_path / "data", out, top=10)
    assert "--out" in caught.value.hint
    assert sorted(out.rglob("*")) == before


@pytest.mark.train
def test_data_that_has_moved_is_the_same_data(mined: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from unmask.train import mining

    shutil.copytree(mined / "data", tmp_path / "data")
    out = shutil.copytree(mined / "mined", tmp_path / "mined")
    monkeypatch.setattr(mining, "train", None)
    assert mining.mine(mined / "run", tmp_path / "data", out, top=10).n == 48


@pytest.mark.train
def test_a_folder_of_somebody_else_is_refused_and_left_as_it_is(mined: Path, tmp_path: Path) -> None:
    from unmask.train.mining import mine

    (tmp_path / "part-of-my-thesis").mkdir()
    (tmp_path / "part-1").write_text("mine")
    with pytest.raises(UnmaskError, match="not made by unmask mine") as caught:
        mine(mined / "run", mined / "data", tmp_path)
    assert caught.value.code == "not-ours"
    assert {path.name for path in tmp_path.iterdir()} == {"part-of-my-thesis", "part-1"}


@pytest.mark.train
def test_a_second_process_is_told_who_mines(mined: Path, tmp_path: Path) -> None:
    from unmask.system.lock import locked
    from unmask.train.mining import mine

    with locked(tmp_path / "out", "unmask mine"), pytest.raises(UnmaskError, match="unmask mine, process") as caught:
        mine(mined / "run", mined / "data", tmp_path / "out")
    assert caught.value.code == "in-use"


@pytest.mark.train
def test_no_part_learns_from_what_it_scores(mined: Path) -> None:
    parts = [{row["path"] for row in rows_of(mined / "mined" / f"part-{number}.csv")} for number in (1, 2)]
    assert parts[0].isdisjoint(parts[1])
    assert len(parts[0] | parts[1]) == 48
    assert not [path for path in (mined / "mined").rglob("*") if path.is_symlink()]


@pytest.mark.train
def test_a_run_without_a_model_is_refused(mined: Path, tmp_path: Path) -> None:
    from unmask.train.mining import mine

    (tmp_path / "run.toml").write_bytes((mined / "run" / "run.toml").read_bytes())
    with pytest.raises(UnmaskError) as caught:
        mine(tmp_path, mined / "data")
    assert caught.value.code == "run-unfinished"


@pytest.mark.train
@pytest.mark.parametrize("wrong", [{"top": 0}, {"folds": 1}])
def test_impossible_settings_are_refused(tmp_path: Path, wrong: dict[str, int]) -> None:
    from unmask.train.mining import mine

    with pytest.raises(UnmaskError) as caught:
        mine(tmp_path, tmp_path, **wrong)
    assert caught.value.code == "bad-mining"


@pytest.mark.train
def test_one_epoch_of_a_run_in_two_stages_can_be_mined_and_gone_on_with(
    mined: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from unmask.train import mining
    from unmask.train.config import make_config, read_config, write_config

    class StoppedError(Exception):
        pass

    def stopped(config: Any, folder: Path, **_: Any) -> None:
        folder.mkdir(parents=True)
        write_config(folder / "run.toml", config)
        raise StoppedError

    shutil.copytree(mined / "run", tmp_path / "run")
    first = make_config(data=str(mined / "data"), model="mobilenetv2", tune="fine-tune", epochs=5)
    write_config(tmp_path / "run" / "run.toml", first)
    monkeypatch.setattr(mining, "train", stopped)
    with pytest.raises(StoppedError):
        mining.mine(tmp_path / "run", mined / "data", tmp_path / "out", epochs=1)
    config = read_config(tmp_path / "out" / "part-1" / "run.toml")
    assert (config.tune, config.epochs, config.frozen_epochs) == ("fine-tune", 1, 0)


@pytest.mark.train
def test_what_a_kill_left_half_written_keeps_nobody_from_mining_there(
    mined: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from unmask.train import mining

    def stop() -> None:
        raise KeyboardInterrupt

    out = tmp_path / "out"
    out.mkdir()
    for name in (".mining.json.x1", ".unmask.lock"):
        (out / name).write_text("{")
    monkeypatch.setattr(mining, "load_keras", stop)
    with pytest.raises(KeyboardInterrupt):
        mining.mine(mined / "run", mined / "data", out)
    assert {path.name for path in out.iterdir()} == {"mining.json", ".unmask.lock"}


@pytest.mark.train
def test_mining_sweeps_its_folder(mined: Path, tmp_path: Path) -> None:
    from unmask.train.mining import mine

    out = shutil.copytree(mined / "mined", tmp_path / "mined")
    for name in (".part-1.npy.x1", ".scores.csv.x1", ".hard.png.x1"):
        (out / name).write_text("half")
    mine(mined / "run", mined / "data", out, top=1)
    assert {path.name for path in out.glob(".*")} == {".unmask.lock"}


@pytest.mark.train
def test_a_part_learns_from_pictures_and_not_from_what_another_run_has_kept(tmp_path: Path) -> None:
    from unmask.train.config import make_config
    from unmask.train.mining import _shorter

    settings = {"model": "clip_vit_b16_whole", "tune": "frozen", "feature_copies": 2, "features_of": "runs/first"}
    assert _shorter(make_config(data="prepared", **settings), tmp_path, None).features_of is None
