"""An app with one more feed, for the deletes that are measured."""
