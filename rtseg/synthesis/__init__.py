"""CT to MR: the images of a training step, the terms of its loss, and who is trained on what."""
