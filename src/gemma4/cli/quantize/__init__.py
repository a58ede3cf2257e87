"""`gemma4 quantize`: command.py its options, job.py what is to be done, and the parts of it."""
