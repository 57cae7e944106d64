"""Published fits of public data, evaluated anew and set beside the certified optimum (docs/published_fits.md)."""
