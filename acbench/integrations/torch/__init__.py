"""Models of torch, timm, open_clip and transformers that run on this machine."""
