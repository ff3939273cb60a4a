"""Transfer learning: pretrained networks on images of charge densities and on texts."""
