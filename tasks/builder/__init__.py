"""Dataset builder: from volumetric charge densities and property tables to a dataset folder."""
