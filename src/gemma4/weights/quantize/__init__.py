"""A checkpoint into another encoding: GGUF files, or a Hugging Face directory.

recipes.py       names such as q4_k_m, and what each gives to which tensor: data
plan.py          every tensor of one output with its format, before anything is written
row_slices.py    a stored tensor a few rows at a time
gguf_file.py     a plan, and metadata, as a GGUF file
gguf_metadata.py what a GGUF file says beside its tensors
directory.py     a plan as safetensors with config.json
"""
