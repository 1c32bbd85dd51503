"""One file a command; `ditto_music.cli.app` lists them."""
