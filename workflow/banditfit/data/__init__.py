"""Data sets: what one is, how files and frames are read, how they are kept on disk."""
