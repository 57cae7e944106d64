"""The models as data, the one compiled likelihood, and simulation."""
