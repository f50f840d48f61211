import importlib

import pytest

import unmask


@pytest.mark.parametrize("name", sorted(set(unmask.__all__) - {"__version__"}))
def test_every_public_name_is_there_and_documented(name):
    thing = getattr(unmask, name)
    assert thing.__doc__


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="deepfake"):
        _ = unmask.deepfake


def test_check_stays_the_function_after_its_module_is_imported():
    importlib.import_module("unmask.checking")
    assert callable(unmask.check)
    assert "check" in dir(unmask)
