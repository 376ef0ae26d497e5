"""Music that a seeded script composes, as training data that anyone can make again."""
