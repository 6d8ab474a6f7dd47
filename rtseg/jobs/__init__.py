"""What each command does, without a terminal: one module per command."""
