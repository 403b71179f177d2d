"""Training: the corpus, the trainers of codec and text to speech, and the packaging of what they made."""
