"""Predictors to beat: naive, composition, density, pixels, and a network from scratch."""
