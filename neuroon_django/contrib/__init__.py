"""What goes with other packages: nothing here is imported but by who asks for it by name."""
