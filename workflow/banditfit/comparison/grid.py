"""The models that a comparison asks about unless it is told others: a factorial set, and what each assumes."""

import re
from collections.abc import Sequence
from itertools import product

import pandas as pd

from ..arguments import checked
from ..kinds import Count
from ..models.families import ModelName, get_model
from ..models.terms import TERMS

RATES = {1: "rescorla_wagner", 2: "dual_rates"}
Choices = Sequence[bool]


@checked
def model_grid(
    rates: Sequence[Count] = (1, 2),
    forgetting: Choices = (False, True),
    choice_kernel: Choices = (False, True),
    bias: Choices = (False, True),
    lapse: Choices = (False,),
) -> list[str]:
    """All sums of terms with one or two learning `rates`, and without or with the decay of arms that are not chosen
    (`forgetting`), a `choice_kernel`, a `bias` and a `lapse`: 16 models by default, 32 with `lapse=(False, True)`, which only
    some methods can fit."""
    optional = {"unchosen_decay": forgetting, "choice_kernel": choice_kernel, "bias": bias, "lapse": lapse}
    return [
        " + ".join([RATES[n], *(name for name, with_it in zip(optional, terms, strict=True) if with_it)])
        for n in rates
        for terms in product(*optional.values())
    ]


@checked
def model_table(models: Sequence[ModelName] | None = None, n_arms: Count = 2) -> pd.DataFrame:
    """What models assume, one row each (by default those of `model_grid`): model, terms, n_parameters with `n_arms` arms,
    parameters (their names) and assumes (in words)."""
    rows = []
    for name in models or model_grid():
        model = get_model(name)
        parameters = model.parameter_names(n_arms)
        words = [TERMS[term].words for term in _terms(name)]
        rows.append((name, model.terms, len(parameters), ", ".join(parameters), "; ".join(words)))
    return pd.DataFrame(rows, columns=["model", "terms", "n_parameters", "parameters", "assumes"])


def _terms(model: str) -> list[str]:
    """The names of a model's terms."""
    return [re.split(r"[\s(]", part.strip())[0] for part in get_model(model).terms.split("+")]


def telling_terms(models: Sequence[str]) -> dict[str, list[bool]]:
    """The terms by which these models differ, and which of the models have each. Of terms that stand for one another, such as
    one learning rate and two, those after the first."""
    names = {model: _terms(model) for model in models}
    found: dict[str, list[bool]] = {}
    for term in TERMS:
        having = [term in names[model] for model in models]
        others = [[not held for held in one] for one in found.values()]
        if any(having) and not all(having) and having not in [*found.values(), *others]:
            found[term] = having
    return found
