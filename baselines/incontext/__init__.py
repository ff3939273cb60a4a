"""Asking a language model in context: prompts, examples, answers, and the service that gives them."""
