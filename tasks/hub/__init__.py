"""The Hugging Face Hub: downloading datasets at a commit, checking a dataset before its release, publishing it."""
