"""What each model is by its tensors: names, shapes, rows and documents, whatever the protocol."""
