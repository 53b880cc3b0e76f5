"""Colours for eyes without one kind of cone, and shapes for everybody.

Colours are compared as in CIELAB (CIE76 distance), seen normally and through the matrices of
Machado, Oliveira and Fernandes 2009 (machado2009) at full severity, which act on linear RGB.
"""

import itertools

import numpy as np
import pytest

from evidence.figures import style
from evidence.figures.dose_effect_all_trials import BLINDING
from evidence.figures.dose_effect_one_trial import DIRECTION_WORDS
from evidence.figures.follow_up_timeline import MARKS
from evidence.figures.specification_curve import FAVOURS
from evidence.figures.time_course import LOOKS

EYES = {
    "all cones": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
# IEC 61966-2-1, linear sRGB to CIE XYZ, and its white point D65.
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = np.array([0.9505, 1.0, 1.089])
MIN_DISTANCE = 15.0
"""More than six times the difference that a trained eye just sees (2.3)."""

# For each chart and every word in it, its colour and its shape (mark and whether filled).
ARMS = {role: (style.COLOUR_OF_ARM[role], mark, True) for role, mark in style.MARK_OF_ARM.items()}
CHARTS = {
    "arms": ARMS | {"guide": (style.VERMILION, "D", False)},
    "verdicts": {word: (colour, mark, True) for word, (mark, colour) in style.VERDICTS.items()},
    "certainty": {
        word: (colour, mark, bool(word)) for word, (mark, colour) in style.CERTAINTY.items()
    },
    "risk": {word: (colour, sign, True) for word, (sign, colour, _) in style.RISK.items()},
    "states": {word: (colour, sign, True) for word, (sign, colour, _) in style.STATES.items()},
    "directions": {
        word: (colour, mark, True) for word, (mark, colour, _) in DIRECTION_WORDS.items()
    },
    "findings": {word: (colour, mark, full) for word, (mark, colour, full, _) in MARKS.items()},
    "blinding": {word: (colour, mark, True) for word, (mark, colour, _) in BLINDING.items()},
    "courses": {word: (colour, mark, False) for word, (mark, colour) in LOOKS.items()},
    "favours": {word: (colour, mark, True) for word, (mark, colour, _) in FAVOURS.items()},
}


def lab(colour: str, eye: str = "all cones") -> np.ndarray:
    """A colour such as #0072b2 in CIELAB, as these eyes see it."""
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    perceived = np.clip(np.asarray(EYES[eye]) @ linear, 0, 1)
    ratio = XYZ @ perceived / WHITE
    f = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize(
    ("colour", "expected"),
    [
        ("#ff0000", (53.24, 80.09, 67.20)),
        ("#0000ff", (32.30, 79.19, -107.86)),
        ("#808080", (53.59, 0.0, 0.0)),
        ("#ffffff", (100.0, 0.0, 0.0)),
    ],
)
def test_conversion_gives_the_known_values_of_srgb_colours(colour, expected):
    """Bruce Lindbloom's calculator, sRGB, D65."""
    assert lab(colour) == pytest.approx(expected, abs=0.06)


def test_red_and_green_of_a_traffic_light_would_fail():
    """Without red cones these two look alike, which the next test must catch."""
    lights = ("#a65c2e", "#6f7a2e")
    distances = [np.linalg.norm(lab(lights[0], eye) - lab(lights[1], eye)) for eye in EYES]
    assert distances[0] > 2 * MIN_DISTANCE
    assert min(distances) < MIN_DISTANCE


@pytest.mark.parametrize("eye", EYES)
@pytest.mark.parametrize("chart", CHARTS)
def test_colours_of_a_chart_can_be_distinguished(chart, eye):
    colours = {colour for colour, _, _ in CHARTS[chart].values()}
    distances = {
        pair: round(float(np.linalg.norm(lab(pair[0], eye) - lab(pair[1], eye))), 1)
        for pair in itertools.combinations(sorted(colours), 2)
    }
    assert {pair: d for pair, d in distances.items() if d < MIN_DISTANCE} == {}


@pytest.mark.parametrize("chart", CHARTS)
def test_marks_of_a_chart_differ_in_shape_and_in_colour(chart):
    shapes = [(mark, full) for _, mark, full in CHARTS[chart].values()]
    assert len(shapes) == len(set(shapes))
    colours = [colour for colour, _, _ in CHARTS[chart].values()]
    assert len(colours) == len(set(colours))
