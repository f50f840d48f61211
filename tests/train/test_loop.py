import csv
import hashlib
import json
import shutil
import signal
from dataclasses import replace

import numpy as np
import pytest
from tests.prepared_faces import write_prepared

from unmask.data.manifest import read_manifest, write_manifest
from unmask.errors import UnmaskError
from unmask.train.config import make_config

pytestmark = pytest.mark.train

SETTINGS = {"epochs": 2, "batch_size": 16, "precision": "float32", "checkpoint_every": 2}
STEPS = 3


class KilledError(Exception):
    """Stands for kill -9: nothing is saved on its way out."""


class Watcher:
    """Does something at one step, counted over all epochs."""

    def __init__(self, at=None, action=None):
        self.at, self.action, self.seen, self.rows = at, action, 0, []

    def on_step(self, state, steps):
        self.seen += 1
        if self.seen == self.at:
            self.action()

    def on_epoch(self, row):
        self.rows.append(row)


def kill():
    raise KilledError


def interrupt():
    signal.raise_signal(signal.SIGINT)


def weights_of(folder):
    import keras

    return keras.models.load_model(folder / "model.keras", compile=False).get_weights()


def last_state(folder):
    with np.load(folder / "last.npz") as arrays:
        return {name: arrays[name] for name in arrays.files if name != "position"}


def assert_same(state, expected):
    assert state.keys() == expected.keys()
    for name, value in state.items():
        np.testing.assert_array_equal(value, expected[name], err_msg=name)


def test_a_run_folder_holds_everything(finished_run):
    names = {path.name for path in finished_run.iterdir()}
    plots = {"accuracy.png", "loss.png", "cnn_accuracy.png"}
    assert names == {"run.toml", "last.npz", "model.keras", "history.csv", ".unmask.lock", *plots}
    rows = list(csv.DictReader((finished_run / "history.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["1", "2"]


def test_it_learns(prepared, tmp_path):
    from unmask.train.loop import train

    settings = {**SETTINGS, "epochs": 6, "batch_size": 8}
    outcome = train(make_config(data=str(prepared), **settings), tmp_path / "run")
    assert outcome.finished
    assert outcome.kept.validation_auc > 0.9


@pytest.mark.parametrize(("keep", "epoch"), [("best", 1), ("last", 2)])
def test_the_model_of_the_epoch_that_is_asked_for_is_kept(prepared, small, tmp_path, monkeypatch, keep, epoch):
    from unmask.train import loop

    # The first epoch is the best one, by an AUC of 1 for 0.
    answers = iter([(0.0, 1.0), (1.0, 0.0)])

    def judge(_, source):
        real, fake = next(answers)
        return np.where(source.labels == 0, real, fake)

    kept = []
    monkeypatch.setattr(loop, "judge", judge)
    monkeypatch.setattr(loop, "_keep", lambda model, folder: kept.append(read_epoch(folder)))
    outcome = train_here(prepared, tmp_path / "run", {**small, "keep": keep})
    assert (outcome.kept.epoch, kept[-1]) == (epoch, epoch)


def read_epoch(folder):
    """Counted from 1, of which the last checkpoint inside an epoch is."""
    from unmask.train.checkpoint import read_state

    return read_state(folder / "last.npz").epoch + 1


@pytest.mark.parametrize("step", [1, 6])
def test_a_killed_run_goes_on_to_the_same_weights(prepared, finished_run, tmp_path, step):
    from unmask.train.loop import resume, train

    run = tmp_path / "run"
    with pytest.raises(KilledError):
        train(make_config(data=str(prepared), **{**SETTINGS, "checkpoint_every": 1}), run, watcher=Watcher(step, kill))
    outcome = resume(run)
    assert outcome.finished
    assert_same(last_state(run), last_state(finished_run))
    for found, expected in zip(weights_of(run), weights_of(finished_run), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_ctrl_c_ends_after_the_step_and_keeps_everything(prepared, finished_run, tmp_path):
    from unmask.train.loop import resume, train

    run, watcher = tmp_path / "run", Watcher(2, interrupt)
    before = signal.getsignal(signal.SIGINT)
    outcome = train(make_config(data=str(prepared), **SETTINGS), run, watcher=watcher)
    assert (outcome.finished, watcher.seen) == (False, 2)
    assert (run / "model.keras").is_file()
    assert signal.getsignal(signal.SIGINT) is before
    rest = Watcher()
    history = resume(run, watcher=rest).history
    assert rest.seen == 2 * STEPS - 2
    assert_same(last_state(run), last_state(finished_run))
    assert [round(row.loss, 6) for row in history] == losses_of(finished_run)


def losses_of(run):
    from unmask.train.checkpoint import read_state

    return [round(row.loss, 6) for row in read_state(run / "last.npz").history]


def stopped_run(data, run, **settings):
    from unmask.train.loop import train

    assert not train(make_config(data=str(data), **SETTINGS, **settings), run, watcher=Watcher(2, interrupt)).finished


def test_a_run_does_not_go_on_with_other_labels(tmp_path):
    from unmask.train.loop import resume

    data, run = write_prepared(tmp_path / "data"), tmp_path / "run"
    stopped_run(data, run)
    rows = list(read_manifest(data / "manifest.csv"))
    write_manifest(
        data / "manifest.csv", [replace(row, label=1 - row.label) if row is rows[3] else row for row in rows]
    )
    before = (run / "last.npz").read_bytes()
    with pytest.raises(UnmaskError) as caught:
        resume(run)
    assert caught.value.code == "data-changed"
    assert "--config" in caught.value.hint
    assert (run / "last.npz").read_bytes() == before


def test_a_run_does_not_go_on_with_other_hard_examples(prepared, finished_run, tmp_path):
    from unmask.train.loop import resume

    hard, run = tmp_path / "hard.csv", tmp_path / "run"
    hard.write_text("path\n" + "".join(f"Train/{index}.jpg\n" for index in range(24)))
    stopped_run(prepared, run, start=str(finished_run), hard=str(hard))
    hard.write_text("path\n" + "".join(f"Train/{index}.jpg\n" for index in range(1, 25)))
    with pytest.raises(UnmaskError, match="hard examples"):
        resume(run)


def test_a_checkpoint_that_does_not_name_its_data_is_gone_on_with(finished_run, tmp_path):
    from unmask.train.loop import resume

    run = shutil.copytree(finished_run, tmp_path / "run")
    with np.load(run / "last.npz") as arrays:
        state = dict(arrays)
    position = json.loads(str(state.pop("position")))
    del position["data"]
    np.savez(run / "last.npz", position=np.array(json.dumps(position)), **state)
    assert resume(run).finished


def first_weights(data, run, settings):
    """The variables that a run begins with."""
    with pytest.raises(KilledError):
        train_here(data, run, settings, watcher=Watcher(1, kill))
    return last_state(run)


def test_another_seed_begins_with_other_weights(prepared, small, tmp_path):
    first, second = (first_weights(prepared, tmp_path / str(seed), {**small, "seed": seed}) for seed in (1, 2))
    assert not np.array_equal(first["v0"], second["v0"])


def test_a_finished_run_has_nothing_left_to_do(finished_run):
    from unmask.train.loop import resume

    watcher = Watcher()
    assert resume(finished_run, watcher=watcher).finished
    assert watcher.seen == 0


def test_a_run_whose_data_has_moved_goes_on_where_it_is_now(tmp_path, small):
    from unmask.train.config import read_run
    from unmask.train.loop import resume

    data, run = write_prepared(tmp_path / "data"), tmp_path / "run"
    assert not train_here(data, run, small, watcher=Watcher(2, interrupt)).finished
    moved = data.rename(tmp_path / "moved")
    with pytest.raises(UnmaskError) as caught:
        resume(run)
    assert f"--resume {run} --data" in caught.value.hint
    assert resume(run, data=moved).finished
    assert read_run(run).data == str(moved)


def test_a_run_does_not_go_on_with_other_data(finished_run, tmp_path):
    from unmask.train.loop import resume

    run, other = shutil.copytree(finished_run, tmp_path / "run"), write_prepared(tmp_path / "other", repeat=2)
    before = (run / "run.toml").read_bytes()
    with pytest.raises(UnmaskError) as caught:
        resume(run, data=other)
    assert caught.value.code == "data-changed"
    assert (run / "run.toml").read_bytes() == before


@pytest.mark.parametrize("finished", [False, True])
def test_a_run_does_not_go_on_with_pixels_that_changed_on_the_disk(finished, small, tmp_path):
    from unmask.train.loop import resume

    data, run = write_prepared(tmp_path / "data"), tmp_path / "run"
    pixels = np.load(data / "Train.npy")
    about = json.loads((data / "prepared.json").read_text())
    about["sha256"] = {"Train": hashlib.sha256(pixels.tobytes()).hexdigest()}
    (data / "prepared.json").write_text(json.dumps(about))
    if finished:
        train_here(data, run, small)
    else:
        first_weights(data, run, small)
    pixels[5, 3, 3, 0] ^= 1
    np.save(data / "Train.npy", pixels)
    with pytest.raises(UnmaskError, match="not those that were written"):
        resume(run)


def test_a_second_process_is_told_who_trains_in_the_folder(prepared, small, tmp_path):
    from unmask.system.lock import locked

    with locked(tmp_path / "run", "unmask train"), pytest.raises(UnmaskError, match="unmask train, process") as caught:
        train_here(prepared, tmp_path / "run", small)
    assert caught.value.code == "in-use"


def test_what_a_kill_left_half_written_is_swept_away(finished_run, tmp_path):
    from unmask.train.loop import resume

    run = shutil.copytree(finished_run, tmp_path / "run")
    for name in (".last.npz.x1", ".model.keras.part.keras"):
        (run / name).write_bytes(b"half")
    (run / ".mine").write_bytes(b"somebody's")
    resume(run)
    assert {path.name for path in run.glob(".*")} == {".mine", ".unmask.lock"}


def test_a_run_killed_while_it_wrote_its_settings_can_be_started_again(prepared, small, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / ".run.toml.x1").write_text("epo")
    with pytest.raises(KilledError):
        train_here(prepared, run, small, watcher=Watcher(1, kill))
    assert {path.name for path in run.iterdir()} == {"run.toml", "last.npz", ".unmask.lock"}


def test_pictures_that_are_left_out_are_not_learned_from(prepared, small, tmp_path):
    (tmp_path / "wrong.csv").write_text("path\n" + "".join(f"Train/{index}.jpg\n" for index in range(16)))
    watcher = Watcher()
    train_here(prepared, tmp_path / "run", {**small, "epochs": 1, "leave_out": str(tmp_path / "wrong.csv")}, watcher)
    assert watcher.seen == STEPS - 1


@pytest.fixture
def small(small_backbone):
    return {**SETTINGS, "model": small_backbone}


def variables_after_each_epoch(config, folder):
    """By epoch: kernel of the backbone, moving mean of its normalisation, kernel of the head."""
    from unmask.train.loop import train

    found = []

    class Look(Watcher):
        def on_epoch(self, row):
            state = last_state(folder)
            found.append({"backbone": state["v0"], "mean": state["v3"], "head": state["v5"]})

    train(config, folder, watcher=Look())
    return found


def moved(states, name):
    return not np.array_equal(states[0][name], states[1][name])


def test_a_frozen_backbone_stays_as_it_is(prepared, small, tmp_path):
    states = variables_after_each_epoch(make_config(data=str(prepared), tune="frozen", **small), tmp_path / "r")
    assert [moved(states, name) for name in ("backbone", "mean", "head")] == [False, False, True]


@pytest.mark.parametrize(("norm", "mean_moves"), [("frozen", False), ("moving", True)])
def test_fine_tuning_moves_the_backbone_in_its_second_stage(prepared, small, tmp_path, norm, mean_moves):
    settings = {**small, "tune": "fine-tune", "batch_norm": norm, "fine_tune_learning_rate": 1e-2}
    states = variables_after_each_epoch(make_config(data=str(prepared), **settings), tmp_path / "r")
    assert [moved(states, name) for name in ("backbone", "mean")] == [True, mean_moves]


def test_a_run_killed_in_its_second_stage_goes_on_to_the_same_weights(prepared, small, tmp_path):
    from unmask.train.loop import resume, train

    settings = {**small, "tune": "fine-tune", "ema": 0.5, "optimizer": "adamw", "schedule": "cosine"}
    config = make_config(data=str(prepared), **settings)
    train(config, tmp_path / "whole")
    with pytest.raises(KilledError):
        train(config, tmp_path / "killed", watcher=Watcher(STEPS + 3, kill))
    assert resume(tmp_path / "killed").finished
    assert_same(last_state(tmp_path / "killed"), last_state(tmp_path / "whole"))


def test_a_loss_that_is_no_number_is_an_error(prepared, tmp_path):
    from unmask.train.loop import train

    with pytest.raises(UnmaskError, match="no number") as caught:
        train(make_config(data=str(prepared), **SETTINGS, learning_rate=1e30), tmp_path / "run")
    assert caught.value.code == "loss-not-a-number"
    assert "--learning-rate" in caught.value.hint


def test_weights_that_blow_up_in_the_last_step_are_an_error(prepared, small, tmp_path, monkeypatch):
    from unmask.train import loop

    monkeypatch.setattr(loop, "judge", lambda model, source: np.full(len(source), np.nan))
    with pytest.raises(UnmaskError, match="after the last step of epoch 1") as caught:
        train_here(prepared, tmp_path / "run", small)
    assert caught.value.code == "loss-not-a-number"


def test_too_little_memory_is_an_error_with_a_way_out(prepared, tmp_path):
    from unmask.train.loop import train

    def exhaust():
        raise MemoryError

    with pytest.raises(UnmaskError, match="memory") as caught:
        train(make_config(data=str(prepared), **SETTINGS), tmp_path / "run", watcher=Watcher(1, exhaust))
    assert "--batch-size 8" in caught.value.hint


def test_a_missing_class_is_refused_before_anything_is_written(tmp_path):
    from unmask.train.loop import train

    data = write_prepared(tmp_path / "fakes", only=1)
    with pytest.raises(UnmaskError, match="no real pictures"):
        train(make_config(data=str(data), **SETTINGS), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("step", "missing"), [(1, "no real and no fake"), (2, "no real")])
def test_a_class_of_which_all_pictures_are_left_out_is_refused(prepared, tmp_path, step, missing):
    from unmask.train.loop import train

    (tmp_path / "out.csv").write_text("path\n" + "".join(f"Train/{index}.jpg\n" for index in range(0, 48, step)))
    with pytest.raises(UnmaskError, match=f"Train has {missing} pictures") as caught:
        train(make_config(data=str(prepared), **SETTINGS, leave_out=str(tmp_path / "out.csv")), tmp_path / "run")
    assert caught.value.code == "class-missing"
    assert not (tmp_path / "run").exists()


def test_batches_of_one_class_are_refused_before_anything_is_written(prepared, tmp_path):
    from unmask.train.loop import train

    with pytest.raises(UnmaskError) as caught:
        train(make_config(data=str(prepared), **{**SETTINGS, "batch_size": 1}), tmp_path / "run")
    assert caught.value.code == "one-class-batches"
    assert not (tmp_path / "run").exists()


def test_a_folder_with_something_in_it_is_refused(prepared, finished_run):
    from unmask.train.loop import train

    with pytest.raises(UnmaskError) as caught:
        train(make_config(data=str(prepared), **SETTINGS), finished_run)
    assert "--resume" in caught.value.hint


def test_a_folder_without_a_run_cannot_be_resumed(tmp_path):
    from unmask.train.loop import resume

    with pytest.raises(UnmaskError, match="no run in"):
        resume(tmp_path)


def test_a_backbone_that_is_not_there_is_refused_before_anything_is_written(prepared, small, tmp_path):
    with pytest.raises(UnmaskError, match="not there"):
        train_here(prepared, tmp_path / "run", {**small, "backbone_weights": "none.weights.h5"})
    assert not (tmp_path / "run").exists()


def test_a_run_that_never_took_a_step_can_be_started_again(prepared, small, finished_run, tmp_path):
    for name in ("run.toml", ".unmask.lock"):
        (tmp_path / name).write_bytes((finished_run / name).read_bytes())
    with pytest.raises(KilledError):
        train_here(prepared, tmp_path, small, watcher=Watcher(1, kill))


@pytest.mark.parametrize("rest", [5000, 0])
def test_a_damaged_checkpoint_is_refused(prepared, finished_run, tmp_path, rest):
    from unmask.train.loop import resume

    (tmp_path / "run.toml").write_bytes((finished_run / "run.toml").read_bytes())
    (tmp_path / "last.npz").write_bytes((finished_run / "last.npz").read_bytes()[:rest])
    with pytest.raises(UnmaskError) as caught:
        resume(tmp_path)
    assert caught.value.code == "bad-checkpoint"


def test_a_run_can_begin_with_the_model_of_another(prepared, finished_run, tmp_path):
    begun = first_weights(prepared, tmp_path / "run", {**SETTINGS, "start": str(finished_run)})
    ours = [begun[f"v{index}"] for index in range(len(begun))]
    ours = [value for value in ours if value.dtype == np.float32]  # without the seeds of Dropout
    for mine, theirs in zip(ours, weights_of(finished_run), strict=False):
        np.testing.assert_array_equal(mine, theirs)


def test_the_backbones_file_of_a_run_that_starts_from_another_may_be_gone(prepared, finished_run):
    from unmask.train.run_data import check, open_data

    config = make_config(data=str(prepared), model="mobilenetv2", backbone_weights="gone.h5", start=str(finished_run))
    check(config, open_data(config))


def test_a_run_whose_model_is_damaged_or_gone_is_no_start(prepared, finished_run, tmp_path):
    from unmask.train.config import write_config
    from unmask.train.loop import resume

    first, run = tmp_path / "first", tmp_path / "run"
    first.mkdir()
    (first / "model.keras").write_bytes((finished_run / "model.keras").read_bytes()[:5000])
    settings = {**SETTINGS, "start": str(first)}
    with pytest.raises(UnmaskError, match=r"model\.keras cannot be read") as caught:
        train_here(prepared, run, settings)
    assert caught.value.code == "bad-model"
    (first / "model.keras").unlink()
    write_config(run / "run.toml", make_config(data=str(prepared), **settings))
    with pytest.raises(UnmaskError, match=r"model\.keras cannot be read"):
        resume(run)


@pytest.mark.parametrize(
    ("settings", "code"),
    [({"start": "nowhere"}, "no-run"), ({}, "start-differs")],
)
def test_a_run_that_does_not_fit_is_no_start(prepared, small, finished_run, tmp_path, settings, code):
    with pytest.raises(UnmaskError) as caught:
        train_here(prepared, tmp_path / "run", {**small, "start": str(finished_run), **settings})
    assert caught.value.code == code


def train_here(prepared, folder, settings, watcher=None):
    from unmask.train.loop import train

    return train(make_config(data=str(prepared), **settings), folder, watcher=watcher)


def test_a_run_on_windows_keeps_and_judges_a_model_for_whole_pictures(prepared, small, tmp_path):
    import keras
    from sklearn.metrics import roc_auc_score

    from unmask.data.source import open_source
    from unmask.train.loop import judge

    outcome = train_here(prepared, tmp_path / "run", {**small, "epochs": 1, "crop": 24, "ema": 0.9})
    kept = keras.models.load_model(outcome.folder / "model.keras", compile=False)
    assert kept.input_shape == (None, 32, 32, 3)
    validation = open_source(prepared, "Validation")
    assert outcome.kept.validation_auc == pytest.approx(roc_auc_score(validation.labels, judge(kept, validation)))


def test_the_rate_of_an_epoch_is_that_of_its_last_step(prepared, small, tmp_path):
    # One step up to 0.001, then half a cosine over two more: the second is half way down, and a third would be at 0.
    outcome = train_here(prepared, tmp_path / "run", {**small, "epochs": 1, "schedule": "cosine"})
    assert outcome.history[-1].learning_rate == pytest.approx(5e-4)


def test_of_large_logits_the_best_epoch_is_the_one_that_ranks_best():
    from unmask.train.run_state import RunState

    row = RunState(seen=1).judged(np.array([0, 1, 0, 1]), np.array([50.0, 60.0, 70.0, 80.0]), 1e-3)
    assert row.validation_auc == 0.75


def test_windows_larger_than_the_pictures_are_refused_before_anything_is_written(prepared, small, tmp_path):
    with pytest.raises(UnmaskError) as caught:
        train_here(prepared, tmp_path / "run", {**small, "crop": 33})
    assert caught.value.code == "crop-too-large"
    assert not (tmp_path / "run").exists()


def test_statistics_of_averaged_weights_are_measured_for_them_and_nothing_else_is_changed(prepared, small):
    from unmask.models import build
    from unmask.train.stages import averaged_weights, prepare_model, stages_of

    config = make_config(data=str(prepared), **small, ema=0.5)
    model = build("small", 32)
    prepare_model(model, stages_of(config)[0], config, 4)
    random = np.random.default_rng(0)
    batches = [random.integers(0, 256, (8, 32, 32, 3), dtype=np.uint8) for _ in range(4)]
    for images in batches:
        model.train_on_batch(images, np.arange(8.0)[:, None] % 2)
    before = [variable.numpy().copy() for variable in model.variables]
    norm = next(layer for layer in model.layers if type(layer).__name__ == "BatchNormalization")
    with averaged_weights(model, config, iter(batches)):
        maps = keras_maps_before(model, norm, np.concatenate(batches))
        np.testing.assert_allclose(norm.moving_mean.numpy(), maps.mean(axis=(0, 1, 2)), rtol=1e-3)
        assert not np.allclose(norm.moving_mean.numpy(), before[norm_index(model, norm)], rtol=1e-2)
    assert norm.momentum == config.batch_norm_momentum
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)


def keras_maps_before(model, norm, images):
    import keras

    return np.array(keras.Model(model.inputs, norm.input)(images))


def norm_index(model, norm):
    return [variable.path for variable in model.variables].index(norm.moving_mean.path)
