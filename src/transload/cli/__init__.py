"""The command line: flags and prompts in, text and exit codes out."""
