"""What a shop could take instead, measured beside the app in one run (`--peers`).

`race` runs the contenders round-robin, each a process of its own with a database of its own, the
peers in a virtual environment of their own; `contender` is what they have in common.
"""
