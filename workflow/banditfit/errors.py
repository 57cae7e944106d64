"""The errors a user can cause; each message is one sentence: where, what was found, what is expected."""


class InputError(ValueError):
    """A data set, model, setting or table that the caller has to correct."""
