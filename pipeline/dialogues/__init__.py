"""Bare files of dialogues without a shop: `turns` and `contexts` read them, `intents` and `responses` judge."""
