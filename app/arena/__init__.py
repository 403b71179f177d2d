"""The arena: a visitor's text, spoken by two hidden systems, and the vote on which is better."""
