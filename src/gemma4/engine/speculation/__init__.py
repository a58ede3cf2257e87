"""Tokens guessed ahead and checked together: the same answer in fewer passes.

Speculator.propose   plan how many tokens to guess for each request, and guess them (a DraftSource)
the engine           one pass over each request's last token and its draft
accept               choose in order, as without drafts, for as long as the draft was right
Speculator.learn     from what was right and how long it took
"""
