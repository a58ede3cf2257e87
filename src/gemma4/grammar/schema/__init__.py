"""JSON Schema as rules of a grammar, in JSON or in the syntax of Gemma's tool calls."""
