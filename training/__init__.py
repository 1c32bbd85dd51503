"""How ditto-small is made: data, text, codec, diffusion. Never imported by the product."""
