"""Feeds for the hosts that many shops are built on; a shop imports the module of its host."""
