"""The layouts that other programs use: names of columns and codes, each as settings of `coding.Reading`.

A preset speaks for an optional column only where the file has it, takes the first name of several that the file has, and what
the user says goes before it.
"""

from typing import Any

PRESETS: dict[str, dict[str, Any]] = {
    # hBayesDM's text files: bandit2arm, prl (`block` where there are several), and bandit4arm with what was won and lost apart
    "hbayesdm": {
        "columns": {
            "episode": "subjID",
            "reward": ("outcome", "gain"),
            "loss": "loss",
            "session": "block",
            "step": "trial",
        },
        "first_arm": 1,
    },
    # em of the Daw lab, and em-jax: a data frame with the columns sub, c and r
    "em": {"columns": {"episode": "sub", "choice": "c", "reward": "r"}},
    # trials of the Allen Institute's dynamic foraging: 0 left, 1 right, 2 ignored
    "aind": {
        "columns": {"episode": "session_id", "choice": "animal_response", "reward": "earned_reward", "step": "trial"},
        "first_arm": 0,
        "missing": {"choice": [2]},
    },
    # the fields of CBM's structs, with a column that numbers them
    "cbm": {"columns": {"episode": "subject", "choice": "actions", "reward": "outcome"}, "first_arm": 1},
    # cpm's bandits: two of several arms, left and right, of which the response says which
    "cpm": {
        "columns": {
            "episode": "ppt",
            "choice": ("responses", "response"),
            "reward": "feedback",
            "step": "trial",
            "available": ("stimulus_left", "stimulus_right"),
        },
        "first_arm": 1,
        "choice_is": "place",
    },
    # the vectors of Palminteri's files, one below the other, with a column that numbers the people
    "palminteri": {
        "columns": {"episode": "sub", "choice": "cho", "reward": "out", "state": "sta", "foregone": "cou"},
        "first_arm": 1,
        "missing": {"choice": [0, 1.5]},
    },
}
