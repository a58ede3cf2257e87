"""OpenAI's Responses: typed items in and out, kept for a while, streamed, in the background."""
