"""Training the codec: spectral losses first, then an adversary for the decoder alone."""
