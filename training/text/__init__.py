"""How the word vectors of ditto-small are made: distilled from a sentence encoder, then checked."""
