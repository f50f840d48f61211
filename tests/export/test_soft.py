"""How soft a picture is, and a graph that goes by it."""

import numpy as np
import pytest

pytest.importorskip("onnx", reason="no extra train")


def pictures():
    """Noise of all sizes as it is, blurred, once small; and one grey area, which has no differences at all."""
    import cv2

    from unmask.image.resize import resize

    noise = np.random.default_rng(0)
    sizes = [resize(noise.integers(0, 256, (side, side, 3)).astype(np.uint8), 64) for side in (4, 8, 16, 32, 64)]
    sharp = np.mean(sizes, axis=0).astype(np.uint8)
    blurred = cv2.GaussianBlur(sharp, (0, 0), 4)
    return np.stack([sharp, blurred, resize(resize(sharp, 6), 64), np.full_like(sharp, 90)])


def test_blurred_and_enlarged_pictures_are_soft_and_sharp_ones_are_not():
    from unmask.export.soft import softness

    sharp, *soft = softness(pictures())
    assert sharp < 0.01
    assert min(soft) > 0.6


def test_a_graph_divides_the_logits_of_soft_pictures_and_leaves_the_map_as_it_is():
    import onnxruntime

    from unmask.export.graph import to_onnx
    from unmask.export.soft import calibrated_graph, softness
    from unmask.models import build

    def answers(graph):
        return onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"]).run(
            ["logit", "cam"], {"image": images}
        )

    images = pictures()
    graph = to_onnx(build("cnn", 64))
    raw, map_ = answers(graph)
    for weight in (0.0, 0.3):
        logit, same = answers(calibrated_graph(graph, 0.75, weight))
        np.testing.assert_allclose(logit, (raw - np.float32(0.75)) / (1 + weight * softness(images)), rtol=1e-5)
        np.testing.assert_array_equal(same, map_)
