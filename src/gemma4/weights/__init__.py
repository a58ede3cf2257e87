"""Weights in and out: file formats, the table of every tensor, the strict loader and the saver.

    checkpoint = open_checkpoint(path)            open_checkpoint.py: configuration read, tensors listed
    model = build_model(checkpoint.config)        model/gemma4.py: on the meta device
    report = load_weights(model, checkpoint)      load.py: strict; says what was converted or left out
    save_checkpoint(model, config_json, path)     save.py: what transformers loads unchanged

Nothing is imported here, so that a module of this package costs only what it needs itself.
"""
