import pytest

from unmask.train import precision
from unmask.train.precision import choose_precision


@pytest.fixture
def machine(monkeypatch):
    def has(*flags, gpu=False):
        monkeypatch.setattr(precision, "_cpu_flags", lambda: set(flags))
        monkeypatch.setattr(precision, "_has_gpu", lambda: gpu)

    return has


@pytest.mark.parametrize("wanted", ["float32", "mixed_bfloat16"])
def test_a_wish_is_followed(machine, wanted):
    machine()
    assert choose_precision(wanted, "mobilenetv2") == wanted


def test_a_processor_without_bfloat16_computes_in_float32(machine):
    machine("avx2")
    assert choose_precision("auto", "cnn") == "float32"


def test_a_processor_with_bfloat16_uses_it_where_the_model_gains(machine):
    machine("avx512_bf16")
    assert choose_precision("auto", "cnn") == "mixed_bfloat16"
    assert choose_precision("auto", "mobilenetv2") == "float32"


def test_a_gpu_always_uses_it(machine):
    machine(gpu=True)
    assert choose_precision("auto", "mobilenetv2") == "mixed_bfloat16"
