"""Conversations as callers give them, checked and turned into values."""
