"""The command line: one function a command. Nothing else in the package knows flags, screens or exit codes."""
