"""Tables made of scores, one topic a module."""
