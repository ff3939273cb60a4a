"""The harness: interfaces, model resolution, protocols, evaluation, metrics, results, and the command line on top."""
