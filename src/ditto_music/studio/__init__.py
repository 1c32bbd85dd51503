"""The studio: a local web page over the commands.

`desk` keeps who asked for what and makes it, `request` checks what a page asks, `outcome` is what a
page shows; none of them knows the web. `server` carries it over Gradio to what is in `page`.
"""
