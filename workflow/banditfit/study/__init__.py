"""A study: what its configuration asks for, where its files lie, how it was made and what it costs."""
