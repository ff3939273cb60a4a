"""What is predicted: datasets, tasks, splits, and how the data are loaded and built."""
