"""Speed, measured in one run, as ratios."""
