"""Training the branch of ditto-small that follows controls."""
