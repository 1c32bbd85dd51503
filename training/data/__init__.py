"""The data of `ditto-small`: fully labelled music, composed and rendered from seeds."""
