"""Annotations: the model, the formats they come in, and the Pascal VOC datasets they go out as."""
