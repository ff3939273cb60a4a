"""Publishing a dataset on the Hugging Face Hub: check, stage, push."""
