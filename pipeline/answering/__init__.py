"""What the chat says and on what it rests: read-only tools, retrieval, words in two languages, and the copy check."""
