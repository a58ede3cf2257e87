"""`gemma4 launch`: coding agents set up for a server of ours, started, and set back."""
