"""The command line: arguments in, a job called, errors turned into words and exit codes."""

from rtseg.cli.app import main

__all__ = ["main"]
