"""Training on PyTorch, each in a process of its own: Keras has one backend a process, and the other tests have TensorFlow.

Without an NVIDIA GPU nothing is recorded, and what would be is computed as it stands.
"""

import json
import os
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.train, pytest.mark.torch]

BEGINNING = """
import json
import numpy as np
import keras
from unmask.models import build
from unmask.train.config import make_config
from unmask.train.fused_norm import with_fused_norm
from unmask.train.stages import averaged_weights, prepare_model, stages_of

def config(**more):
    settings = dict(model="mobilenetv2", batch_norm="moving", learning_rate=1e-5, label_smoothing=0.05, precision="float32")
    return make_config(data="nowhere", **{**settings, **more})

def numbers(variables):
    return [np.array(keras.ops.convert_to_numpy(one)) for one in variables]

def apart(ours, theirs, before):
    # How far ours ended from theirs, in shares of the way that theirs went.
    def length(some, others):
        return sum(float(((a - b).astype(np.float64) ** 2).sum()) for a, b in zip(some, others, strict=True)) ** 0.5
    return length(numbers(ours), numbers(theirs)) / length(numbers(theirs), before)

random = np.random.default_rng(0)
images, labels = random.integers(0, 256, (8, 64, 64, 3)).astype(np.uint8), np.arange(8) % 2
keras.utils.set_random_seed(1)
plain = build("mobilenetv2", 64)
plain.get_layer("dropout").rate = 0.0
"""


def on_torch(script):
    """What the script prints, read as JSON."""
    done = subprocess.run(
        [sys.executable, "-c", BEGINNING + script],
        env={**os.environ, "KERAS_BACKEND": "torch"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    "settings",
    [
        {"optimizer": "adamw", "weight_decay": 50.0, "ema": 0.9, "schedule": "constant"},
        {"optimizer": "adam", "schedule": "cosine"},
        {"optimizer": "adamw", "tune": "fine-tune", "fine_tune_learning_rate": 1e-5, "ema": 0.9},
    ],
    ids=["adamw", "adam", "fine-tune"],
)
def test_steps_that_can_be_recorded_do_what_keras_does(settings):
    # More steps than come before the recording, each on other pictures and the last one on fewer.
    found = on_torch(f"""
from unmask.train.replay import WARM_UP, replayed_step
chosen = config(**{settings!r})
stage = stages_of(chosen)[-1]
ours = keras.models.clone_model(plain)
ours.set_weights(plain.get_weights())
for model in (plain, ours):
    prepare_model(model, stage, chosen, 10)
    # With Keras' own 1e-7 a gradient that is nothing but rounding moves a weight as far as any other.
    model.optimizer.epsilon = 1e-3
before = [numbers(some) for some in (plain.trainable_variables, plain.optimizer.variables)]
step, losses, rights = replayed_step(ours, chosen), [], []
for count in [8] * (WARM_UP + 3) + [5]:
    seen, truth = random.integers(0, 256, (count, 64, 64, 3)).astype(np.uint8), random.integers(0, 2, count)
    theirs = plain.train_on_batch(seen, truth.astype(np.float32)[:, None], return_dict=True)
    plain.reset_metrics()
    loss, right = step(seen, truth)
    losses.append([float(theirs["loss"]), loss])
    rights.append([float(theirs["accuracy"]), right])
averages = [[one for one in model.optimizer.variables if "average" in one.path] for model in (ours, plain)]
print(json.dumps(dict(
    losses=losses, rights=rights, iterations=int(ours.optimizer.iterations),
    weights=apart(ours.trainable_variables, plain.trainable_variables, before[0]),
    optimizer=apart(ours.optimizer.variables, plain.optimizer.variables, before[1]),
    # Alone, as the squares of gradients are far longer.
    average=apart(*averages, before[0]) if chosen.ema else 0.0,
)))
""")
    for theirs, ours in found["losses"]:
        assert ours == pytest.approx(theirs, rel=1e-3)
    assert len({ours for _, ours in found["losses"]}) == len(found["losses"])
    assert [ours for _, ours in found["rights"]] == pytest.approx([theirs for theirs, _ in found["rights"]])
    assert found["iterations"] == len(found["losses"])
    assert found["weights"] < 0.05
    assert found["optimizer"] < 0.05
    assert found["average"] < 0.05


def test_fused_normalisation_and_scaling_learn_what_keras_own_layers_learn():
    found = on_torch("""
chosen = config(optimizer="adam", schedule="constant")
ours = with_fused_norm(plain)
for model in (plain, ours):
    prepare_model(model, stages_of(chosen)[0], chosen, 10)
same = float(np.abs(plain.predict_on_batch(images) - ours.predict_on_batch(images)).max())
targets = labels.astype(np.float32)[:, None]
moving = [[one for one in model.non_trainable_variables if "moving" in one.path] for model in (plain, ours)]
before = numbers(moving[0])
losses = [float(model.train_on_batch(images, targets, return_dict=True)["loss"]) for model in (plain, ours)]
print(json.dumps(dict(
    kinds=sorted({type(layer).__name__ for layer in ours.layers}), same=same, losses=losses,
    moving=apart(moving[1], moving[0], before),
    names=[layer.name for layer in ours.layers] == [layer.name for layer in plain.layers],
)))
""")
    assert {"FusedBatchNormalization", "TorchRescaling"} <= set(found["kinds"])
    assert found["names"]
    assert found["same"] == 0.0
    assert found["losses"][1] == pytest.approx(found["losses"][0], rel=1e-5)
    assert found["moving"] < 5e-3


def test_what_a_run_does_with_a_gpu_does_the_same_without_recording():
    # `can_replay` is held to yes: the same functions, computed as they stand where there is no GPU to record on.
    found = on_torch("""
import unmask.train.stages as stages, unmask.train.steps as steps
chosen = config(optimizer="adamw", ema=0.9, schedule="constant")
def averaged(yes):
    steps.can_replay = stages.can_replay = lambda model: yes
    keras.utils.set_random_seed(1)
    model = with_fused_norm(plain)
    prepare_model(model, stages_of(chosen)[0], chosen, 10)
    step = steps.training_step(model, chosen)
    loss = [step(images, labels)[0] for _ in range(2)]
    with averaged_weights(model, chosen, [images, images[:4]]):
        return loss, steps.Predictor(model)(images).ravel().tolist()
print(json.dumps([averaged(False), averaged(True)]))
""")
    (theirs, known), (ours, answers) = found
    assert ours == pytest.approx(theirs, rel=1e-3)
    assert answers == pytest.approx(known, abs=0.1)


def test_only_layers_that_are_known_to_allow_it_are_recorded():
    found = on_torch("""
from unmask.train.replay import _is_known
print(json.dumps({name: _is_known(with_fused_norm(build(name, 64))) for name in (
    "mobilenetv2", "efficientnetlite0", "efficientnetv2b0", "cnn"
)}))
""")
    assert found == {"mobilenetv2": True, "efficientnetlite0": True, "efficientnetv2b0": False, "cnn": False}


@pytest.mark.parametrize("architecture", ["mobilenetv2", "efficientnetv2b0"])
def test_a_run_learns_and_goes_on(architecture, prepared, tmp_path):
    found = on_torch(f"""
from pathlib import Path
from unmask.train.loop import resume, train
settings = dict(data={str(prepared)!r}, model={architecture!r}, batch_size=16, ema=0.9)
first = train(make_config(epochs=2, **settings), Path({str(tmp_path / "run")!r}))
print(json.dumps([len(first.history), first.finished, len(resume(first.folder).history)]))
""")
    assert found == [2, True, 2]
