import numpy as np
import pytest

from unmask.data.source import open_source
from unmask.errors import UnmaskError
from unmask.train.config import continued, make_config, read_config, write_config
from unmask.train.sampling import with_rehearsal


@pytest.fixture
def hard(tmp_path):
    path = tmp_path / "hard.csv"
    path.write_text("rank,path\n1,Train/7.jpg\n2,Train/3.jpg\n3,Train/gone.jpg\n")
    return path


def test_hard_examples_are_found_by_path(prepared, hard):
    assert open_source(prepared, "Train").listed(hard).tolist() == [7, 3]


def test_a_list_with_a_byte_order_mark_and_odd_names_is_read(prepared, tmp_path):
    (tmp_path / "hard.csv").write_bytes(b"\xef\xbb\xbfpath\nTrain/\xff.jpg\nTrain/7.jpg\n")
    assert open_source(prepared, "Train").listed(tmp_path / "hard.csv").tolist() == [7]


def test_a_run_that_was_balanced_goes_on_with_hard_examples(prepared, hard, tmp_path):
    write_config(tmp_path / "run.toml", make_config(data=str(prepared), balance=1.0))
    assert continued(tmp_path, hard).balance == 0


@pytest.mark.parametrize("first", [{"tune": "norms", "epochs": 3}, {"tune": "frozen", "feature_copies": 2}])
def test_what_learned_before_learns_on_from_hard_examples(prepared, hard, tmp_path, first):
    write_config(tmp_path / "run.toml", make_config(data=str(prepared), model="clip_vit_b16", **first))
    then = continued(tmp_path, hard)
    assert (then.tune, then.epochs, then.frozen_epochs, then.feature_copies) == (first["tune"], 1, 0, 0)


def test_an_epoch_has_the_hard_ones_and_as_many_others():
    choose = with_rehearsal(np.array([7, 3]), 48)
    order = choose(0, np.random.default_rng(0))
    assert len(order) == len(set(order.tolist())) == 4
    assert {3, 7} <= set(order.tolist())


def test_where_all_are_hard_there_are_no_others_to_draw():
    order = with_rehearsal(np.arange(48), 48)(0, np.random.default_rng(0))
    assert sorted(order.tolist()) == list(range(48))


def test_an_empty_list_is_said_to_be_empty(prepared, tmp_path):
    (tmp_path / "hard.csv").write_text("path,label\n")
    with pytest.raises(UnmaskError, match="lists no pictures"):
        open_source(prepared, "Train").listed(tmp_path / "hard.csv")


def test_a_list_of_other_pictures_is_refused(prepared, tmp_path):
    (tmp_path / "hard.csv").write_text("path\nelsewhere.jpg\n")
    with pytest.raises(UnmaskError, match="None of the 1 pictures"):
        open_source(prepared, "Train").listed(tmp_path / "hard.csv")


def test_a_list_without_paths_is_refused(prepared, tmp_path):
    (tmp_path / "hard.csv").write_text("picture\nTrain/7.jpg\n")
    with pytest.raises(UnmaskError, match="no column path"):
        open_source(prepared, "Train").listed(tmp_path / "hard.csv")


def test_a_missing_list_is_refused(prepared, tmp_path):
    with pytest.raises(UnmaskError) as caught:
        open_source(prepared, "Train").listed(tmp_path / "none.csv")
    assert "unmask mine" in caught.value.hint


@pytest.mark.train
def test_a_run_goes_on_from_another_ones_weights(finished_run, hard, tmp_path):
    from unmask.train.loop import train

    hard.write_text("path\n" + "".join(f"Train/{index}.jpg\n" for index in range(12)))
    outcome = train(continued(finished_run, hard, batch_size=24), tmp_path / "second")
    config = read_config(tmp_path / "second" / "run.toml")
    assert (outcome.finished, config.epochs, config.learning_rate) == (True, 1, 1e-4)
    assert outcome.history[0].validation_auc > 0.4
