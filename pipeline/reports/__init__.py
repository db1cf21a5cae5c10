"""What people read of a night: its page, its plots, and audience files."""
