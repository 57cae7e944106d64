"""Public data of people and animals: published fits beside the certified optimum (docs/published_fits.md), and how well
estimates of people who came twice agree (docs/reliability.md)."""

import os
from pathlib import Path

# Where the data lie, from the project's folder, and the folder of each set there.
DATA = Path(os.environ.get("BANDITFIT_DATA", "../shared/data"))
FOLDERS = {
    "bavard": "bavard2018_contextual",
    "palminteri": "palminteri_confirmation",
    "zorowitz": "zorowitz2023_3arm",
    "cbm": "fixture_cbm_simulated",
    "hou": "hou_mouse_foraging",
    "vrizzi": "vrizzi2025_test_retest",
}
