import io
import json

import pytest

from unmask.checking import Examined
from unmask.output.documents import JsonWriter, Tally


def stop_between_counting_and_writing(document, tally, examined):
    tally.add(examined.finding)
    document.add(examined)
    tally.add(examined.finding)
    raise KeyboardInterrupt


def test_the_summary_counts_the_findings_that_were_written(toy_detector, face_file):
    examined, tally, stream = Examined(toy_detector.check(face_file), None), Tally(left_out=3), io.StringIO()
    with pytest.raises(KeyboardInterrupt), JsonWriter(stream, toy_detector, tally) as document:
        stop_between_counting_and_writing(document, tally, examined)
    written = json.loads(stream.getvalue())
    assert len(written["findings"]) == written["summary"]["pictures"] == 1
    assert written["summary"]["left_out"] == 3
