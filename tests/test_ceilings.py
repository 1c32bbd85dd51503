"""The table of ceilings: its lines, and the truth it takes from labels."""

import numpy as np

from benchmarks.ceilings import TIMES, Row, melody_of


def test_a_line_says_mean_spread_and_every_chance() -> None:
    row = Row("ear", "tunes", [0.0, 0.5, 1.0], {"a coin": [0.5, 0.5], "luck": [0.1]})
    assert row.text() == "| ear | tunes | 0.50 | 0.10 to 0.90 | 0.50 a coin, 0.10 luck | 3 |"
    assert Row("ear", "found", [0.0, 1.0], {"luck": [0.0]}).text().split("|")[4].strip() == ""


def test_melody_under_middle_c_is_left_out() -> None:
    labels = {"melody": [[0.0, 1.0, 67], [1.0, 1.0, 59], [2.0, 1.0, 60]]}
    target = melody_of(labels)
    assert set(target[TIMES < 0.99]) == {7}
    assert set(target[(TIMES > 1.01) & (TIMES < 1.99)]) == {-1}
    assert set(target[(TIMES > 2.01) & (TIMES < 2.99)]) == {0}
    assert (target[TIMES > 3.01] == -1).all()
    assert target.dtype == np.array([0]).dtype
