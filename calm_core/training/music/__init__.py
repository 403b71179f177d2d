"""Music that a program composes, plays and describes: the corpus of the models of music.

seed -> composer.compose -> Piece -> midi.to_midi -> render.play (fluidsynth) -> samples
                                  -> captions.describe -> sentences
"""
