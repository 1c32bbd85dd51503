"""How the word vectors of ditto-small are made: distilled from a sentence encoder, then checked."""

SOURCE = "sentence-transformers/all-MiniLM-L6-v2, reduced to static word vectors"
LICENCE = "Apache-2.0"
ORIGIN = f"{SOURCE} ({LICENCE})"
"""Of the word vectors, for the metadata of every file that holds them."""
