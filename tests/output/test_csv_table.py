import csv

import pytest

from unmask.checking import Examined
from unmask.output.csv_table import CsvWriter, RowWriter


@pytest.fixture
def examined(toy_detector, face_file):
    return Examined(toy_detector.check(face_file), None)


def stop_after(table, examined):
    table.add(examined)
    raise KeyboardInterrupt


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_rows_with_any_line_end_in_them_are_read_back(tmp_path):
    rows = [["a\rb", "1"], ["a\nb", "2"], ['"', ","]]
    with (tmp_path / "o.csv").open("w", newline="") as file:
        RowWriter(file).writerows(rows)
    with (tmp_path / "o.csv").open(newline="") as file:
        assert list(csv.reader(file)) == rows


def test_each_row_is_on_the_disk_before_the_next_picture(tmp_path, toy_detector, examined):
    with CsvWriter(tmp_path / "o.csv", toy_detector) as table:
        table.add(examined)
        assert len(rows_of(table.place)) == 1


def test_a_table_has_its_name_once_it_is_whole(tmp_path, toy_detector, examined):
    with CsvWriter(tmp_path / "o.csv", toy_detector) as table:
        table.add(examined)
        assert not (tmp_path / "o.csv").exists()
    assert [file.name for file in tmp_path.iterdir()] == ["o.csv"]


def test_a_table_may_have_any_name_that_the_file_system_takes(tmp_path, toy_detector, examined):
    with CsvWriter(tmp_path / f"{'é' * 125}.csv", toy_detector) as table:
        table.add(examined)
    assert len(rows_of(table.place)) == 1


def test_two_runs_with_one_table_do_not_mix(tmp_path, toy_detector, examined):
    with CsvWriter(tmp_path / "o.csv", toy_detector) as first:
        with CsvWriter(tmp_path / "o.csv", toy_detector) as second:
            second.add(examined)
        first.add(examined)
        first.add(examined)
    assert len(rows_of(tmp_path / "o.csv")) == 2


def test_a_run_that_is_stopped_keeps_its_rows_and_the_table_of_an_earlier_one(tmp_path, toy_detector, examined):
    (tmp_path / "o.csv").write_text("earlier")
    table = CsvWriter(tmp_path / "o.csv", toy_detector)
    with pytest.raises(KeyboardInterrupt), table:
        stop_after(table, examined)
    assert len(rows_of(table.place)) == 1
    assert (tmp_path / "o.csv").read_text() == "earlier"


def test_a_run_that_is_stopped_before_its_first_picture_leaves_nothing(tmp_path, toy_detector):
    with pytest.raises(KeyboardInterrupt), CsvWriter(tmp_path / "o.csv", toy_detector):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []
