"""What goes with other packages and hosts: nothing is imported but by who asks for it by name."""
