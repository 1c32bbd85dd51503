"""Intervals: they hold the truth as often as they say, and the corrected distance is nearer it."""

import math

import numpy as np
import pytest

from ditto_music import InputError
from ditto_music.evaluation.frechet import frechet_corrected, frechet_distance, frechet_to
from ditto_music.evaluation.intervals import Interval, of_distance, of_mean, of_ratio
from ditto_music.evaluation.kernel import kernel_distance


@pytest.mark.parametrize(("count", "least", "most"), [(8, 0.82, 0.94), (25, 0.88, 0.97)])
def test_the_mean_s_interval_of_few_clips_holds_the_truth_less_often_than_it_says(
    count: int, least: float, most: float
) -> None:
    """Of 200 samples of exponential values, whose mean is 1."""
    inside = 0
    for seed in range(200):
        values = np.random.default_rng(seed).exponential(size=count)
        found = of_mean(values.tolist(), np.random.default_rng(seed))
        inside += found.low <= 1 <= found.high
        assert found.low < found.value < found.high
    assert least <= inside / 200 <= most


def test_clips_of_one_prompt_count_as_one_that_is_drawn_again() -> None:
    """Eight equal clips of each of ten prompts tell no more than one of each."""
    rng = np.random.default_rng(0)
    values, names = rng.standard_normal(10).tolist(), [*"abcdefghij"]
    alone = of_mean(values, np.random.default_rng(1))
    many, groups = 8 * values, 8 * names
    together = of_mean(many, np.random.default_rng(1), groups)
    assert together.count == 80
    assert (together.low, together.high) == pytest.approx((alone.low, alone.high))
    apart = of_mean(many, np.random.default_rng(1))
    assert apart.high - apart.low < 0.5 * (together.high - together.low)
    assert of_mean(values, np.random.default_rng(1), names) == alone
    assert math.isnan(of_mean(many, rng, [*"abcdefg"] * 11 + [*"abc"]).low)


def test_a_ratio_over_groups_is_that_of_their_sums() -> None:
    rng = np.random.default_rng(0)
    tops, bottoms = rng.exponential(size=10).tolist(), (1 + rng.exponential(size=10)).tolist()
    alone = of_ratio(tops, bottoms, np.random.default_rng(1))
    together = of_ratio(4 * tops, 4 * bottoms, np.random.default_rng(1), 4 * [*"abcdefghij"])
    assert together.count == 40
    ends = (together.value, together.low, together.high)
    assert ends == pytest.approx((alone.value, alone.low, alone.high))
    missing = of_ratio([*tops, math.nan], [*bottoms, 1.0], np.random.default_rng(1), range(11))
    assert missing == alone
    assert math.isnan(of_ratio(4 * tops, 4 * bottoms, rng, [*"abcdefg"] * 5 + [*"abcde"]).low)


def test_halves_are_of_prompts() -> None:
    rng, points = np.random.default_rng(0), np.arange(40.0)[:, None]
    seen: list[set[int]] = []

    def distance(some: np.ndarray) -> float:
        seen.append({int(value) for value in some[:, 0]})
        return float(some.mean())

    found = of_distance(distance, points, rng, halves=20, groups=[*"abcdefghij"] * 4)
    assert found.low < found.value < found.high
    for some in seen[1:]:
        assert len(some) == 20
        assert some == {10 * round + value % 10 for value in some for round in range(4)}
    assert math.isnan(of_distance(distance, points, rng, groups=[*"abcdefg"] * 5 + [*"abcde"]).low)


def test_under_eight_clips_the_mean_stands_alone() -> None:
    """The interval of three is theirs at most: it holds the truth at most three times of four."""
    rng = np.random.default_rng(0)
    for count in (3, 7, 8):
        values = rng.standard_normal(count)
        found = (
            of_mean(values.tolist(), rng),
            of_ratio(values.tolist(), [1 + x * x for x in values], rng),
            of_distance(lambda points: float(points.mean()), values[:, None], rng, halves=20),
        )
        assert [math.isnan(each.low) for each in found] == 3 * [count < 8]
        assert [math.isnan(each.high) for each in found] == 3 * [count < 8]
        assert {each.count for each in found} == {count}


@pytest.mark.parametrize(
    ("name", "count", "least", "most"),
    [
        ("kernel", 8, 0.87, 0.96),
        ("kernel", 16, 0.85, 0.95),
        ("kernel", 40, 0.87, 0.97),
        ("frechet", 8, 0.93, 0.997),
        ("frechet", 16, 0.82, 0.95),
    ],
)
def test_a_distance_s_interval_holds_the_truth_about_as_often_as_it_says(
    name: str, count: int, least: float, most: float
) -> None:
    """Of 150 sets a distance from a reference, against that of a set of 3000."""
    rng = np.random.default_rng(0)
    reference = rng.standard_normal((100, 3))
    frechet = frechet_to(reference)

    def distance(points: np.ndarray) -> float:
        if name == "kernel":
            return kernel_distance(reference, points, 1.5)
        return frechet_corrected(frechet, points, np.random.default_rng(0))

    def made(seed: int, size: int) -> np.ndarray:
        return 0.8 + np.random.default_rng(seed).standard_normal((size, 3))

    big = made(1000, 3000)
    truth = distance(big) if name == "kernel" else frechet(big)
    inside = 0
    for seed in range(150):
        found = of_distance(distance, made(seed, count), np.random.default_rng(seed), halves=60)
        inside += found.low <= truth <= found.high
    assert least <= inside / 150 <= most


def test_equal_figures_and_few_figures() -> None:
    rng = np.random.default_rng(0)
    assert of_mean([2.0] * 8, rng) == Interval(2.0, 2.0, 2.0, 8)
    two = of_mean([1.0, 2.0], rng)
    assert (two.value, two.count) == (1.5, 2)
    assert math.isnan(two.low)
    assert of_mean([1.0, math.nan, 3.0, 2.0], rng).count == 3
    assert of_mean([], rng).count == 0
    assert two.text() == "1.50"
    assert Interval(1, 0.5, 2, 9).text(1) == "1.0 [0.5, 2.0]"


def test_the_same_generator_gives_the_same_interval() -> None:
    values = np.random.default_rng(3).standard_normal(12).tolist()
    one, two = (of_mean(values, np.random.default_rng(7)) for _ in range(2))
    assert one == two


@pytest.mark.parametrize("count", [12, 30])
def test_correction_takes_most_of_the_bias_of_few_clips_away(count: int) -> None:
    """Between Gaussians a unit apart in 6 dimensions: the distance is 1."""
    rng = np.random.default_rng(count)
    reference = rng.standard_normal((2_000, 6))
    plain, corrected = [], []
    for seed in range(60):
        made = rng.standard_normal((count, 6))
        made[:, 0] += 1
        plain.append(frechet_distance(reference, made))
        corrected.append(
            frechet_corrected(frechet_to(reference), made, np.random.default_rng(seed))
        )
    assert abs(np.mean(corrected) - 1) < 0.35 * (np.mean(plain) - 1)


def test_a_set_to_itself_is_about_zero() -> None:
    points = np.random.default_rng(5).standard_normal((60, 8))
    assert frechet_distance(points, points) == pytest.approx(0, abs=1e-9)
    assert abs(kernel_distance(points, points)) < 0.05


def test_too_few_to_correct_is_one_clear_line() -> None:
    with pytest.raises(InputError, match="too few to correct"):
        frechet_corrected(frechet_to(np.eye(5)), np.eye(5)[:3], np.random.default_rng(0))


def test_a_ratio_of_means_has_no_bias_where_that_of_ratios_has_five_thirds() -> None:
    """Variances of six values over those of six others: their ratio's mean is 5 / (5 - 2)."""
    rng = np.random.default_rng(0)
    tops, bottoms = rng.standard_normal((2, 1000, 6)).var(-1, ddof=1)
    assert (tops / bottoms).mean() == pytest.approx(5 / 3, rel=0.1)
    found = of_ratio([*tops], [*bottoms], rng)
    assert found.value == pytest.approx(1, abs=0.1)
    assert found.low < 1 < found.high
    assert found.high - found.low < 0.3
    assert found.count == 1000


def test_a_ratio_without_spread_has_edges_and_one_without_ground_is_none() -> None:
    rng = np.random.default_rng(0)
    tops, bottoms = [2, 4, 6, 8, 2, 4, 6, 8, math.nan], [1, 2, 3, 4, 1, 2, 3, 4, 9]
    assert of_ratio(tops, bottoms, rng) == Interval(2.0, 2.0, 2.0, 8)
    assert math.isnan(of_ratio([1, 2], [1, 1], rng).low)
    assert of_ratio([1, 2, 3], [1, -2, 0.5], rng).count == 0
    assert of_ratio([], [], rng).count == 0
