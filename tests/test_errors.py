import pickle

from unmask.errors import UnmaskError


def test_an_error_carries_its_hint_and_code_across_processes():
    # Pickled and read back here, as the worker processes of `unmask prepare` hand an error over; no bundle is ever unpickled.
    error = pickle.loads(pickle.dumps(UnmaskError("it broke", hint="mend it", code="broken")))
    assert (str(error), error.hint, error.code) == ("it broke", "mend it", "broken")
