"""Tables of models: ranked, with intervals, and with what cannot be told apart."""
