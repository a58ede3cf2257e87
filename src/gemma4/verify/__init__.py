"""Prove the numbers: the same ids and media through two sides, logits and layers compared."""
