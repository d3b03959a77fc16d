"""Files in and out: what a path holds, the tissue it is read as, the result saved."""
