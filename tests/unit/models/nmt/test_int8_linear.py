"""A layer in 8 bits against the same arithmetic in integers of NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.nmt.bergamot.int8_linear import Int8Linear

OUTPUTS, INPUTS = 24, 64
ROW_STEPS = [0.01] * 8 + [0.03] * 16  # of two matrices, one below the other
INPUT_STEP = 0.05


# Processors without VNNI add two products of an input and a weight in 16 bits, and what these do
# not hold is cut. Weights up to here are multiplied exactly on every processor.
LARGEST_WEIGHT = (2**15 - 1) // (2 * 255)


@pytest.fixture(scope="module")
def integers() -> NDArray[np.int64]:
    limit = LARGEST_WEIGHT
    return np.random.default_rng(5).integers(-limit, limit + 1, (OUTPUTS, INPUTS))


@pytest.fixture(scope="module")
def layer(integers: NDArray[np.int64]) -> Int8Linear:
    weight = torch.from_numpy((integers * np.array(ROW_STEPS)[:, None]).astype(np.float32))
    return Int8Linear(weight, torch.arange(OUTPUTS).float(), ROW_STEPS, INPUT_STEP)


@pytest.fixture(scope="module")
def inputs() -> NDArray[np.float32]:
    """[5, INPUTS]; some are more than 8 bits hold."""
    return np.random.default_rng(6).normal(0, 3, (5, INPUTS)).astype(np.float32)


def test_it_is_the_product_of_integers(
    layer: Int8Linear, integers: NDArray[np.int64], inputs: NDArray[np.float32]
) -> None:
    steps = np.round(inputs / np.float32(INPUT_STEP)).clip(-128, 127).astype(np.int64)
    expected = steps @ integers.T * INPUT_STEP * np.array(ROW_STEPS) + np.arange(OUTPUTS)
    found = layer(torch.from_numpy(inputs)).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-3)


def test_a_row_does_not_depend_on_its_batch(layer: Int8Linear, inputs: NDArray[np.float32]) -> None:
    together = layer(torch.from_numpy(inputs))
    alone = torch.cat([layer(torch.from_numpy(row[None])) for row in inputs])
    assert torch.equal(together, alone)


def test_leading_dimensions_are_kept(layer: Int8Linear) -> None:
    assert layer(torch.zeros(2, 3, INPUTS)).shape == (2, 3, OUTPUTS)
