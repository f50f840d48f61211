"""`clip_vit_b16`: the first blocks of CLIP's image tower under a head that asks every patch.

The tower is the vision transformer with patches of 16 px (Dosovitskiy et al., ICLR 2021) of CLIP (Radford et al., "Learning
Transferable Visual Models From Natural Language Supervision", ICML 2021). What it learned from 400 million pictures with their
captions carries over to fakes of kinds that a detector never saw (Ojha et al., "Towards Universal Fake Image Detectors that
Generalize Across Generative Models", CVPR 2023).

The head sees the tokens of two depths, two thirds of the way through the tower and at its end. The logit is the mean over the
patches of a line through their hidden features, and each of these sees its own patch, and of all tokens the class token, the
mean and the spread. So a map of the logit is exact: what the patches are worth, they add up to.
"""

from __future__ import annotations

import zlib
from typing import Any
from zipfile import BadZipFile

import keras
import numpy as np
from keras import layers, ops

from unmask.models import MIDDLE, OVERVIEW, TOWER

SIDE = 224
PATCH, WIDTH, HEADS, MLP = 16, 768, 12, 3072
EPSILON = 1e-5
# Of the head: features of a patch.
HIDDEN = 256
# What CLIP's pictures were scaled by, for each channel of RGB in 0..1.
MEAN = (0.48145466, 0.4578275, 0.40821073)
SPREAD = (0.26862954, 0.26130258, 0.27577711)


@keras.saving.register_keras_serializable("unmask")
class Positions(layers.Layer):  # type: ignore[misc]
    """Puts a class token before the patches, and adds to each token what it is by its place."""

    def build(self, shape: Any) -> None:
        self.token = self.add_weight(shape=(1, 1, shape[-1]), initializer="zeros", name="token")
        self.places = self.add_weight(shape=(1, shape[1] + 1, shape[-1]), initializer="random_normal", name="places")

    def call(self, patches: Any) -> Any:
        """(N, patches, C) -> (N, 1 + patches, C)."""
        token = ops.broadcast_to(ops.cast(self.token, patches.dtype), (ops.shape(patches)[0], 1, patches.shape[-1]))
        return ops.concatenate([token, patches], axis=1) + ops.cast(self.places, patches.dtype)

    def compute_output_shape(self, shape: Any) -> tuple[int | None, ...]:
        """One token more."""
        return (shape[0], shape[1] + 1, shape[2])


@keras.saving.register_keras_serializable("unmask")
class Attention(layers.Layer):  # type: ignore[misc]
    """What each token takes from the others, by scaled dot products in each head (Vaswani et al., NeurIPS 2017)."""

    def call(self, queries: Any, keys: Any, values: Any) -> Any:
        """Three times (N, tokens, C) -> (N, tokens, C)."""
        queries, keys, values = (
            ops.reshape(x, (-1, x.shape[1], HEADS, x.shape[2] // HEADS)) for x in (queries, keys, values)
        )
        weights = ops.softmax(ops.einsum("bqhd,bkhd->bhqk", queries * queries.shape[-1] ** -0.5, keys))
        return ops.reshape(ops.einsum("bhqk,bkhd->bqhd", weights, values), (-1, values.shape[1], WIDTH))


@keras.saving.register_keras_serializable("unmask")
class Overview(layers.Layer):  # type: ignore[misc]
    """What all tokens of a picture say together: the class token, and the mean and the spread of the patches."""

    def call(self, tokens: Any) -> Any:
        """(N, 1 + patches, C) -> (N, 1, 3 C)."""
        patches = tokens[:, 1:]
        spread = ops.sqrt(ops.var(patches, axis=1, keepdims=True) + EPSILON)
        return ops.concatenate([tokens[:, :1], ops.mean(patches, axis=1, keepdims=True), spread], axis=2)

    def compute_output_shape(self, shape: Any) -> tuple[int | None, ...]:
        """One token, three times as wide."""
        return (shape[0], 1, 3 * shape[2])


@keras.saving.register_keras_serializable("unmask")  # type: ignore[untyped-decorator]
def quick_gelu(x: Any) -> Any:
    """CLIP's activation: x * sigmoid(1.702 x)."""
    return x * ops.sigmoid(1.702 * x)


def features(inputs: Any, weights: str = "none", blocks: int = 9) -> Any:
    """The last spatial map: what the head makes of each patch of the tower's last block.

    Args:
        inputs: uint8 tensor (N, 224, 224, 3), RGB.
        weights: ``none``, or a ``.npz`` file of the tower's weights by their names in Hugging Face's CLIPVisionModel, with
            the kernels of dense layers as (in, out).
        blocks: How many of the tower's twelve blocks.

    Returns:
        Tensor (N, 14, 14, 256), not negative.

    Raises:
        ValueError: The weights are not those of this tower.
    """
    return _hidden(tower(inputs, weights, blocks))


def head(spatial_map: Any) -> Any:
    """Dropout 0.4, global average pooling, Dense 1: the logit."""
    x = layers.SpatialDropout2D(0.4, name="dropout")(spatial_map)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return layers.Dense(1, dtype="float32", name="logit")(x)


def tower(inputs: Any, weights: str, blocks: int) -> Any:
    """The tokens of two depths, (N, 197, 2 * 768), class token first.

    Args:
        inputs, weights, blocks: As of `features`.

    Raises:
        ValueError: The weights are not those of this tower.
    """
    scale, offset = 1 / (255 * np.array(SPREAD)), -np.array(MEAN) / np.array(SPREAD)
    x = layers.Rescaling(scale.tolist(), offset.tolist(), name="scale")(inputs)
    patches = layers.Conv2D(WIDTH, PATCH, PATCH, use_bias=False, name="patches")
    positions = Positions(name="positions")
    norm = layers.LayerNormalization(epsilon=EPSILON, name="norm")
    x = patches(x)
    x = norm(positions(layers.Reshape((-1, WIDTH), name="tokens")(x)))
    loads = {"pre_layrnorm": norm}  # by the names of their weights in an archive
    seen = []
    for number in range(blocks):
        x = _block(x, number, loads, MIDDLE if number + 1 == middle(blocks) else f"block{number + 1}_add2")
        if number + 1 in (middle(blocks), blocks):
            seen.append(layers.LayerNormalization(epsilon=EPSILON, name=f"tower_norm{number + 1}")(x))
    if weights != "none":
        _load(weights, patches, positions, loads)
    return layers.Concatenate(name=TOWER)([seen[0], seen[-1]])  # of one block, the same twice


def middle(blocks: int) -> int:
    """After which block the head looks for the first time: two thirds of the way."""
    return max(1, 2 * blocks // 3)


def _block(x: Any, number: int, loads: dict[str, Any], last: str) -> Any:
    """Self-attention and two dense layers, each beside what came in."""
    tag = f"block{number + 1}"

    def add(layer: Any, name: str) -> Any:
        loads[f"encoder.layers.{number}.{name}"] = layer
        return layer

    def dense(units: int, name: str, where: str, activation: Any = None) -> Any:
        return add(layers.Dense(units, activation, name=f"{tag}_{name}"), where)

    norm = add(layers.LayerNormalization(epsilon=EPSILON, name=f"{tag}_norm1"), "layer_norm1")
    inner = norm(x)
    seen = Attention(name=f"{tag}_seen")(
        *(dense(WIDTH, name, f"self_attn.{name[0]}_proj")(inner) for name in ("query", "key", "value"))
    )
    x = layers.Add(name=f"{tag}_add1")([x, dense(WIDTH, "attention", "self_attn.out_proj")(seen)])
    norm = add(layers.LayerNormalization(epsilon=EPSILON, name=f"{tag}_norm2"), "layer_norm2")
    inner = dense(MLP, "wide", "mlp.fc1", quick_gelu)(norm(x))
    return layers.Add(name=last)([x, dense(WIDTH, "narrow", "mlp.fc2")(inner)])


def _hidden(tokens: Any) -> Any:
    side = SIDE // PATCH
    overview = standardised(Overview(dtype="float32", name=OVERVIEW)(tokens), OVERVIEW)
    overview = layers.Dropout(0.25, name="overview_dropout")(overview)
    patches = standardised(layers.Cropping1D((1, 0), name="patch_tokens")(tokens), "patches")
    whole = layers.Dense(HIDDEN, name="hidden_overview")(overview)
    each = layers.Dense(HIDDEN, use_bias=False, name="hidden_patches")(patches)
    hidden = layers.ReLU(name="hidden")(layers.Add(name="hidden_sum")([each, whole]))
    return layers.Reshape((side, side, HIDDEN), name="map")(hidden)


def standardised(tokens: Any, name: str) -> Any:
    """Each channel to a mean of 0 and a spread of 1 over all pictures.

    Of the overview, some vary twenty times as much as others, and steps of the optimizer, alike for all weights, would hardly
    reach the weak ones. In float32: the difference of what is nearly alike is nothing for bfloat16.
    """
    norm = layers.BatchNormalization(
        momentum=0.98, epsilon=1e-6, center=False, scale=False, dtype="float32", name=f"{name}_norm"
    )
    return norm(tokens)


def _load(path: str, patches: Any, positions: Any, loads: dict[str, Any]) -> None:
    try:
        with open(path, "rb") as file:  # else a broken one stays open
            archive = np.load(file)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise ValueError("it is no .npz archive")
            kernel = archive["vision_model.embeddings.patch_embedding.weight"].transpose(2, 3, 1, 0)
            token = archive["vision_model.embeddings.class_embedding"].reshape(1, 1, WIDTH)
            places = archive["vision_model.embeddings.position_embedding.weight"][None]
            patches.set_weights([kernel])
            positions.set_weights([token, places])
            for name, layer in loads.items():
                layer.set_weights([archive[f"vision_model.{name}.{part}"] for part in ("weight", "bias")])
    except (KeyError, EOFError, BadZipFile, zlib.error) as error:
        raise ValueError(f"{error.args[0]}") from error
