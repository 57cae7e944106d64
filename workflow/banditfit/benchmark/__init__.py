"""Speed, measured in one run, as ratios."""

import numpy as np

COLUMNS = ["what", "experiment", "n", "ours_ms", "theirs_ms", "measured", "q25", "q75", "unit", "target", "met"]


def met(reached: bool, target: float) -> str:
    """The word for a target reached or not; empty where there is none."""
    return "" if np.isnan(target) else "met" if reached else "not met"
