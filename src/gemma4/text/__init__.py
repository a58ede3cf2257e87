"""Text: tokenizer, messages, chat templates, prompts, and the codec of thoughts and tool calls. No torch."""
