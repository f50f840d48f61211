"""The transformer against the same sums written out in numpy, with weights drawn by chance."""

import numpy as np
import pytest

from unmask.errors import UnmaskError

pytestmark = pytest.mark.train

WIDTH, MLP, HEADS = 768, 3072, 12


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """One block's worth of weights by the names of Hugging Face's CLIPVisionModel."""
    draw = np.random.default_rng(0)

    def weights(*shape, spread=0.03):
        return draw.normal(0, spread, shape).astype(np.float32)

    arrays = {
        "embeddings.patch_embedding.weight": weights(WIDTH, 3, 16, 16),
        "embeddings.class_embedding": weights(WIDTH, spread=0.5),
        "embeddings.position_embedding.weight": weights(197, WIDTH, spread=0.5),
    }
    block = "encoder.layers.0"
    for name in ("pre_layrnorm", f"{block}.layer_norm1", f"{block}.layer_norm2"):
        arrays[f"{name}.weight"], arrays[f"{name}.bias"] = 1 + weights(WIDTH, spread=0.2), weights(WIDTH)
    dense = {f"self_attn.{name}_proj": (WIDTH, WIDTH) for name in ("q", "k", "v", "out")}
    for name, shape in {**dense, "mlp.fc1": (WIDTH, MLP), "mlp.fc2": (MLP, WIDTH)}.items():
        arrays[f"{block}.{name}.weight"], arrays[f"{block}.{name}.bias"] = weights(*shape), weights(shape[1])
    path = tmp_path_factory.mktemp("clip") / "clip.npz"
    np.savez(path, **{f"vision_model.{name}": array for name, array in arrays.items()})
    return path


@pytest.fixture(scope="module")
def model(archive):
    from unmask.models import build

    return build("clip_vit_b16", 224, weights=archive, blocks=1)


def norm(x):
    """To a mean of 0 and a spread of 1."""
    apart = x - x.mean(-1, keepdims=True)
    return apart / np.sqrt((apart**2).mean(-1, keepdims=True) + 1e-5)


def written_out(images, path):
    """Tokens after the block, (N, 197, 768)."""
    w = {name.removeprefix("vision_model."): array.astype(np.float64) for name, array in np.load(path).items()}
    block = "encoder.layers.0"

    def scaled(x, name):
        return norm(x) * w[f"{name}.weight"] + w[f"{name}.bias"]

    def dense(x, name):
        return x @ w[f"{block}.{name}.weight"] + w[f"{block}.{name}.bias"]

    x = (images / 255 - [0.48145466, 0.4578275, 0.40821073]) / [0.26862954, 0.26130258, 0.27577711]
    patches = x.reshape(-1, 14, 16, 14, 16, 3).transpose(0, 1, 3, 5, 2, 4).reshape(len(x), 196, -1)
    patches = patches @ w["embeddings.patch_embedding.weight"].reshape(WIDTH, -1).T
    token = np.broadcast_to(w["embeddings.class_embedding"], (len(x), 1, WIDTH))
    x = scaled(np.concatenate([token, patches], axis=1) + w["embeddings.position_embedding.weight"], "pre_layrnorm")
    inner = scaled(x, f"{block}.layer_norm1")
    query, key, value = (
        dense(inner, f"self_attn.{name}_proj").reshape(len(x), 197, HEADS, 64).transpose(0, 2, 1, 3) for name in "qkv"
    )
    scores = np.exp(query @ key.transpose(0, 1, 3, 2) / 8)
    seen = (scores / scores.sum(-1, keepdims=True)) @ value
    x = x + dense(seen.transpose(0, 2, 1, 3).reshape(len(x), 197, WIDTH), "self_attn.out_proj")
    inner = dense(scaled(x, f"{block}.layer_norm2"), "mlp.fc1")
    return x + dense(inner / (1 + np.exp(-1.702 * inner)), "mlp.fc2")


def test_a_block_computes_what_is_written_in_the_paper(model, archive):
    import keras

    images = np.random.default_rng(1).integers(0, 256, (2, 224, 224, 3), dtype=np.uint8)
    tower = keras.Model(model.input, model.get_layer("tower").output)
    expected = norm(written_out(images, archive))
    # Of one block, both depths are the same.
    np.testing.assert_allclose(tower.predict_on_batch(images), np.concatenate([expected] * 2, axis=-1), atol=1e-3)


def test_the_head_looks_two_thirds_of_the_way_and_at_the_end(archive):
    from unmask.models import build
    from unmask.models.clip_vit_b16 import middle

    assert [middle(blocks) for blocks in (1, 2, 3, 9, 12)] == [1, 1, 2, 6, 8]
    names = {layer.name for layer in build("clip_vit_b16", 224, blocks=3).layers}
    assert {name for name in names if name.startswith("tower_norm")} == {"tower_norm2", "tower_norm3"}


def test_the_overview_is_the_class_token_and_mean_and_spread_of_the_patches():
    from unmask.models.clip_vit_b16 import Overview

    tokens = np.random.default_rng(3).normal(0, 1, (2, 197, 8)).astype(np.float32)
    patches = tokens[:, 1:]
    expected = np.concatenate([tokens[:, 0], patches.mean(axis=1), patches.std(axis=1)], axis=-1)
    np.testing.assert_allclose(Overview()(tokens), expected[:, None], atol=1e-4)


def test_the_backbone_is_the_tower_and_the_map_has_a_place_for_each_patch(model):
    from unmask.models import backbone_layers
    from unmask.models.head import find_head

    assert backbone_layers(model)[-1].name == "tower"
    assert tuple(find_head(model).spatial_map.shape) == (None, 14, 14, 256)


def test_a_model_that_was_saved_is_read_again(model, tmp_path):
    from unmask.models import load

    model.save(tmp_path / "model.keras")
    images = np.random.default_rng(2).integers(0, 256, (1, 224, 224, 3), dtype=np.uint8)
    np.testing.assert_array_equal(load(tmp_path / "model.keras")(images), model(images))


def test_the_norms_alone_learn(model):
    from keras import layers

    from unmask.models import backbone_layers
    from unmask.train.config import make_config
    from unmask.train.stages import prepare_model, stages_of

    config = make_config(data="here", model="clip_vit_b16", tune="norms")
    head_alone, norms_too = stages_of(config)
    prepare_model(model, head_alone, config, 1)
    assert not any(layer.trainable for layer in backbone_layers(model))
    prepare_model(model, norms_too, config, 1)
    learning = [layer for layer in backbone_layers(model) if layer.trainable and layer.trainable_variables]
    assert {type(layer) for layer in learning} == {layers.LayerNormalization}
    assert len(learning) == 4
    model.trainable = True


def test_weights_of_another_tower_and_half_a_download_are_refused(tmp_path):
    from unmask.models import build

    np.savez(tmp_path / "other.npz", weight=np.zeros(3))
    (tmp_path / "half.npz").write_bytes((tmp_path / "other.npz").read_bytes()[:100])
    (tmp_path / "empty.npz").touch()
    np.save(tmp_path / "array.npy", np.zeros(3))
    for name in ("other.npz", "half.npz", "empty.npz", "array.npy"):
        with pytest.raises(UnmaskError, match="do not fit clip_vit_b16"):
            build("clip_vit_b16", 224, weights=tmp_path / name, blocks=1)


@pytest.mark.parametrize("side", [128, 256])
def test_another_side_is_refused(side):
    from unmask.models import build

    with pytest.raises(UnmaskError, match=f"{side} px") as caught:
        build("clip_vit_b16", side)
    assert "224" in caught.value.hint
