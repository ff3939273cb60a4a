"""Builders: from volumetric densities and tables to a dataset folder."""
