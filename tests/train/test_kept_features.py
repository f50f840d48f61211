"""A head that learns from what its backbone said once."""

import json
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from tests.data.pictures import picture

from unmask.errors import UnmaskError

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    from PIL import Image

    root = tmp_path_factory.mktemp("faces")
    for split, count in (("Train", 6), ("Validation", 3)):
        for label, name in enumerate(("Real", "Fake")):
            (root / split / name).mkdir(parents=True)
            for number in range(count):
                image = picture(10 * number + label, 224)
                image[:80] = 220 * label
                Image.fromarray(image).save(root / split / name / f"{number}.png")
    return root


def settings(dataset, **changes):
    from unmask.train.config import make_config

    given = {"tune": "frozen", "feature_copies": 2, "epochs": 2, "augment": "light", "blend": 0.8, "localise": 0.1}
    given |= {"blocks": 1, "batch_size": 5}
    given |= {"model": "clip_vit_b16"}
    return make_config(data=str(dataset), size=224, **{**given, **changes})


@pytest.fixture(scope="module")
def finished(dataset, tmp_path_factory):
    from unmask.train.loop import train

    folder = tmp_path_factory.mktemp("runs") / "run"
    return train(settings(dataset), folder)


def test_each_copy_of_each_picture_is_asked_about_once(finished):
    kept = np.load(finished.folder / "features-Train.npy", mmap_mode="r")
    assert kept.shape == (24, 197, 1536)
    assert len(np.unique(kept[:, :20], axis=0)) == 24
    assert np.load(finished.folder / "features-Validation.npy", mmap_mode="r").shape == (6, 197, 1536)
    labels = np.load(finished.folder / "labels-Train.npy")
    masks = np.load(finished.folder / "masks-Train.npy").any(axis=(1, 2))
    assert labels.sum() == 12 + masks.sum()
    assert masks.any()
    assert not masks[:12].any()  # the first copy is of the pictures as they are
    assert labels[masks].all()


def test_of_several_copies_the_first_is_of_the_pictures_as_they_are(dataset, tmp_path):
    import keras

    from unmask.data.source import open_source
    from unmask.models import load
    from unmask.train.loop import train

    run = train(settings(dataset, blend=0.0, localise=0.0, epochs=1, precision="float32"), tmp_path / "run").folder
    source = open_source(dataset, "Train", 224)
    model = load(run / "model.keras")
    said = keras.Model(model.input, model.get_layer("tower").output).predict_on_batch(source.read(np.arange(12)))
    kept = np.load(run / "features-Train.npy")
    apart = np.abs(kept[:, None, 0] - said[None, :, 0]).max(axis=2)  # of each kept picture to each of the source
    assert sorted(apart[:12].argmin(axis=1)) == list(range(12))
    assert apart[:12].min(axis=1).max() < 0.01
    assert np.median(apart[12:].min(axis=1)) > 0.02


def test_what_was_judged_is_what_the_kept_model_says(finished, dataset):
    from unmask.data.source import open_source
    from unmask.models import load
    from unmask.stats.metrics import roc_auc
    from unmask.train.loop import judge

    validation = open_source(dataset, "Validation", 224)
    logits = judge(load(finished.folder / "model.keras"), validation)
    assert finished.kept.validation_auc == roc_auc(validation.labels, logits)


def test_of_a_picture_as_a_whole_its_overview_is_kept(dataset, tmp_path):
    from unmask.models import load
    from unmask.train.loop import train

    run = train(settings(dataset, model="clip_vit_b16_whole", blend=0.0, localise=0.0), tmp_path / "run")
    assert run.finished
    kept = np.load(run.folder / "features-Train.npy")
    assert kept.shape == (24, 1, 4608)
    assert len(run.history) == 2
    # What the real ones among them differ by is damped.
    directions, shares, _ = load(run.folder / "model.keras").get_layer("damped").get_weights()
    real = kept[np.load(run.folder / "labels-Train.npy") == 0, 0].astype(np.float32)
    spread = ((real - real.mean(axis=0)) / (real.std(axis=0) + 1e-3)) @ directions[:, 0]
    assert shares[0] == pytest.approx(
        1 - 1 / np.sqrt(1 + 4608 * spread.var() / (real.std(axis=0) > 0.05).sum()), abs=0.02
    )


def test_a_second_run_learns_from_what_the_first_has_kept(finished, dataset, tmp_path):
    from unmask.train.loop import resume, train

    first = {"features_of": str(finished.folder)}
    same = train(settings(dataset, **first), tmp_path / "same")
    assert not list(same.folder.glob("features-*"))
    assert [row.loss for row in same.history] == pytest.approx([row.loss for row in finished.history], rel=1e-3)

    class Cut(Watcher):
        def on_features(self, done, pictures):
            if done == 24:
                raise KeyboardInterrupt

    whole = settings(dataset, model="clip_vit_b16_whole", localise=0.0, **first)
    assert not train(whole, tmp_path / "whole", watcher=Cut()).finished
    steps = Watcher()
    resume(tmp_path / "whole", watcher=steps)
    assert steps.steps_of == {0: 5, 1: 5}
    tokens = np.load(finished.folder / "features-Train.npy").astype(np.float32)
    overview = np.load(tmp_path / "whole/features-Train.npy").astype(np.float32)
    patches = tokens[:, 1:]
    wanted = np.concatenate([tokens[:, 0], patches.mean(axis=1), np.sqrt(patches.var(axis=1) + 1e-5)], axis=1)
    np.testing.assert_allclose(overview[:, 0], wanted, atol=2e-3, rtol=2e-3)
    np.testing.assert_array_equal(
        np.load(tmp_path / "whole/labels-Train.npy"), np.load(finished.folder / "labels-Train.npy")
    )


def test_a_second_run_can_leave_out_the_fakes_that_were_made_for_the_first(finished, dataset, tmp_path):
    from unmask.train.loop import train

    made = np.load(finished.folder / "masks-Train.npy").any(axis=(1, 2)).sum()
    config = settings(dataset, model="clip_vit_b16_whole", blend=0.0, localise=0.0, features_of=str(finished.folder))
    steps = Watcher()
    assert train(config, tmp_path / "run", watcher=steps).finished
    assert steps.steps_of[0] == -(-(24 - made) // 5) < 5


def test_features_of_other_settings_or_of_another_backbone_are_refused(finished, dataset, tmp_path):
    from unmask.train.loop import train

    with pytest.raises(UnmaskError, match="blend") as refused:
        train(settings(dataset, blend=0.5, features_of=str(finished.folder)), tmp_path / "run")
    assert refused.value.code == "features-differ"
    moved = str(Path(os.path.relpath(dataset)))  # another way to write the same place
    assert train(settings(moved, features_of=str(finished.folder), epochs=1), tmp_path / "moved").finished
    with pytest.raises(UnmaskError, match="no run"):
        train(settings(dataset, features_of=str(tmp_path)), tmp_path / "run")
    with pytest.raises(UnmaskError, match="needs feature_copies"):
        settings(dataset, feature_copies=0, features_of=str(finished.folder))
    with pytest.raises(UnmaskError, match="has not kept") as refused:  # its weights were drawn from another seed
        train(settings(dataset, seed=2, backbone_weights="none", features_of=str(finished.folder)), tmp_path / "run")
    assert refused.value.code == "features-differ"


def test_features_of_other_pictures_are_refused(dataset, tmp_path):
    from unmask.train.loop import train

    leave_out = tmp_path / "leave.csv"
    leave_out.write_text("path\nTrain/Real/0.png\n")
    config = settings(dataset, leave_out=str(leave_out), epochs=1)
    first = train(config, tmp_path / "first").folder
    again = config.model_copy(update={"features_of": str(first)})
    assert train(again, tmp_path / "again").finished
    # A run that kept nothing itself leads to the one that did.
    assert train(config.model_copy(update={"features_of": str(tmp_path / "again")}), tmp_path / "third").finished
    leave_out.write_text("path\nTrain/Real/1.png\n")
    with pytest.raises(UnmaskError) as refused:
        train(again, tmp_path / "run")
    assert refused.value.code == "features-differ"


def test_a_head_on_patches_cannot_learn_from_overviews(dataset, tmp_path):
    from unmask.train.loop import train

    first = train(settings(dataset, model="clip_vit_b16_whole", localise=0.0, epochs=1), tmp_path / "whole").folder
    with pytest.raises(UnmaskError) as refused:
        train(settings(dataset, features_of=str(first)), tmp_path / "run")
    assert refused.value.code == "features-differ"
    assert not list((tmp_path / "run").glob("features-*"))


def test_the_average_of_weights_is_measured_on_what_is_kept(dataset, tmp_path):
    from unmask.train.loop import train

    assert train(settings(dataset, ema=0.5, epochs=1), tmp_path / "run").finished


def test_a_run_that_was_stopped_while_features_were_kept_goes_on_there(finished, dataset, tmp_path):
    from unmask.train.loop import resume, train

    class Stops:
        def on_features(self, done, pictures):
            if done == 10:
                raise KeyboardInterrupt

    assert not train(settings(dataset), tmp_path / "run", watcher=Stops()).finished
    noted = json.loads((tmp_path / "run/features-Train.json").read_text())
    assert (noted["steps"], noted["rows"], len(noted["weights"])) == (2, 10, 64)
    resume(tmp_path / "run")
    for name in ("features-Train.npy", "features-Validation.npy", "labels-Train.npy", "masks-Train.npy"):
        np.testing.assert_array_equal(np.load(tmp_path / "run" / name), np.load(finished.folder / name))
    assert (tmp_path / "run/history.csv").read_text().splitlines()[-1].split(",")[1:5] == (
        finished.folder / "history.csv"
    ).read_text().splitlines()[-1].split(",")[1:5]


def test_a_disk_without_room_is_told_before_the_backbone_is_asked(dataset, tmp_path, monkeypatch):
    from unmask.train.loop import train

    monkeypatch.setattr("shutil.disk_usage", lambda place: SimpleNamespace(free=5_000_000))
    with pytest.raises(UnmaskError) as refused:
        train(settings(dataset), tmp_path / "run")
    assert refused.value.code == "no-room"
    assert not (tmp_path / "run/features-Train.npy").exists()


class PowerCutError(Exception):
    pass


class Watcher:
    """Of the steps of each epoch; at one of them, (epoch, step), the power fails."""

    def __init__(self, stop=None):
        self.stop, self.steps_of = stop, {}

    def on_features(self, done, pictures):
        pass

    def on_step(self, state, steps):
        self.steps_of[state.epoch] = steps
        if (state.epoch, state.step) == self.stop:
            raise PowerCutError

    def on_epoch(self, row):
        pass


def test_a_head_does_not_go_on_with_another_backbone_than_it_learned_on(finished, dataset, tmp_path):
    from unmask.models import load
    from unmask.train.loop import resume, train

    first, run = tmp_path / "first", tmp_path / "run"
    first.mkdir()
    model = load(finished.folder / "model.keras")
    model.save(first / "model.keras")
    config = settings(dataset, start=str(first), tune="norms", feature_copies=1, blend=0.0, localise=0.0)
    with pytest.raises(PowerCutError):  # between the two stages, where nothing more is learned from what is kept
        train(config, run, watcher=Watcher((1, 1)))
    model.get_layer("block1_wide").bias.assign_add(np.full(3072, 0.1))
    model.save(first / "model.keras")  # as if that run had gone on
    before = (run / "last.npz").read_bytes()
    with pytest.raises(UnmaskError) as refused:
        resume(run)
    assert refused.value.code == "backbone-differs"
    assert (run / "last.npz").read_bytes() == before
    for name in ("Train", "Validation"):  # as versions wrote them that did not note the weights
        noted = json.loads((run / f"features-{name}.json").read_text())
        del noted["weights"]
        (run / f"features-{name}.json").write_text(json.dumps(noted))
    assert resume(run).finished


@pytest.fixture(scope="module")
def two_stages(request, dataset, tmp_path_factory):
    """The settings of a run whose head learns from what is kept, and then more than the head; and its model."""
    from unmask.models import load
    from unmask.train.loop import train

    how = {"tune": request.param, "blocks": 2, "frozen_epochs": 1, "keep": "last", "precision": "float32"}
    config = settings(dataset, **how, checkpoint_every=1)
    return config, load(train(config, tmp_path_factory.mktemp("runs") / "run").folder / "model.keras")


@pytest.mark.parametrize(
    ("two_stages", "stop"),
    [("last", (0, 3)), ("last", (1, 1)), ("last", (1, 3)), ("norms", (1, 1))],
    ids=["last-head", "last-between", "last-then", "norms-between"],
    indirect=["two_stages"],
)
def test_the_head_learns_from_what_is_kept_and_then_the_norms_or_the_last_blocks(two_stages, tmp_path, stop):
    from unmask.models import load
    from unmask.train.loop import resume, train

    config, whole = two_stages
    before, after = Watcher(stop), Watcher()
    with pytest.raises(PowerCutError):
        train(config, tmp_path / "run", watcher=before)
    resume(tmp_path / "run", watcher=after)
    # Two copies of twelve pictures; then each once, or for the last blocks from what is kept, too.
    assert before.steps_of | after.steps_of == {0: 5, 1: 3 if config.tune == "norms" else 5}
    resumed = load(tmp_path / "run/model.keras")
    for ours, theirs in zip(resumed.get_weights(), whole.get_weights(), strict=True):
        # Sums come in another order now and then, and where a gradient is nothing but rounding Adam makes steps of that.
        assert np.abs(ours - theirs).mean() < 3e-5
    learned = [bool(np.ptp(resumed.get_layer(f"block{number}_norm1").get_weights()[0])) for number in (1, 2)]
    assert learned == [config.tune == "norms", True]
