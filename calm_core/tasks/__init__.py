"""What a loaded model does for its callers: speak (`tts`) or code sound (`codec`)."""
