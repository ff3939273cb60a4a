"""Transfer learning: pretrained networks on charge densities and texts."""
