"""A client for language models behind OpenAI-compatible endpoints: prompts, requests, answers and what they cost."""
