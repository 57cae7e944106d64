"""Questions put to methods that a table of fits cannot answer, one module each."""
