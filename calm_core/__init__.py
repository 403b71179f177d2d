"""CALM: speech from continuous audio latents."""
