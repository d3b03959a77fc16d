"""What was done to a section in the window, kept with it and written as code."""
