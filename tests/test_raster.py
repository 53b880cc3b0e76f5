"""Pixels go into a PNG and come out of it as they were."""

import io

import numpy as np
import pytest
from PIL import Image

from evidence.publishing.raster import ROWS, as_png


@pytest.mark.parametrize("height", [1, ROWS - 1, ROWS, ROWS + 1, 3 * ROWS + 5])
@pytest.mark.parametrize("width", [1, 7, 300])
def test_every_pixel_comes_back(height, width):
    pixels = np.random.default_rng(height + width).integers(0, 256, (height, width, 4), np.uint8)
    with Image.open(io.BytesIO(as_png(pixels, 300))) as picture:
        picture.load()
        assert (picture.mode, picture.size) == ("RGB", (width, height))
        assert [round(dots, 1) for dots in picture.info["dpi"]] == [300, 300]
        assert np.array_equal(np.asarray(picture), pixels[:, :, :3])


def test_white_takes_hardly_any_room():
    white = np.full((1000, 1000, 4), 255, np.uint8)
    assert len(as_png(white, 300)) < white.nbytes / 200
