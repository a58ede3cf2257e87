"""Thoughts and tool calls: written into prompts, and read back from token ids."""
