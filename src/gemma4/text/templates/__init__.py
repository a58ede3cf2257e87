"""Conversations to text: the checkpoint's template in a sandbox, and our own renderer."""
