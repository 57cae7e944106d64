"""Models compared on one data set: criteria, held-out trials, selection over people, and recovery at the data's own design."""
