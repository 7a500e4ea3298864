"""What of a stream and of big memory is new: cut into chunks, hashed, and compared with what was there before."""
