"""The harness: interfaces, model resolution, protocols, evaluation, metrics, results and statistics."""
