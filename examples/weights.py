"""How random weights are drawn, so that activations keep their range through any depth."""

import math

import numpy as np

# Variance of what is drawn from a normal distribution; it is divided by the number of inputs that an output adds up.
# He et al., "Delving Deep into Rectifiers" (2015): 2 makes up for what a ReLU takes away. A swish takes more, a gate
# like the one of squeeze-and-excitation halves what it lets through; signed values lose nothing.
VARIANCES = {
    "weight": 2.0,
    "linear weight": 0.5,
    "signed weight": 1.0,
    "swish weight": 2.8,
    "gated weight": 11.0,
    "bias": 0.0025,
}

# Limits of what is drawn uniformly. Scale squared over variance is 1 in the mean, so a batch norm keeps the range of
# values; branches added to a shortcut must be smaller, or sixteen residual blocks would end in a one-hot softmax.
# Two branches that are added to each other have half of the variance each.
RANGES = {"scale": (0.5, 1.5), "variance": (0.7, 1.7), "branch scale": (0.2, 0.6), "half scale": (0.5, 0.95)}


def normal(generator: np.random.Generator, role: str, shape: tuple[int, ...], inputs: int = 1) -> np.ndarray:
    """Normally distributed float32 values, for outputs that each add up `inputs` products; `role` is of `VARIANCES`."""
    values = generator.standard_normal(shape, dtype=np.float32)
    values *= math.sqrt(VARIANCES[role] / inputs)
    return values


def uniform(generator: np.random.Generator, role: str, shape: tuple[int, ...]) -> np.ndarray:
    """Uniformly distributed float32 values between the limits of `role`, which is of `RANGES`."""
    return generator.uniform(*RANGES[role], shape).astype(np.float32)
