"""Densities of crystals as structure factors, and what is synthesised from them: planes, volumes, pictures."""
