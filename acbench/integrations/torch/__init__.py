"""Models of torch, timm, open_clip and transformers on this machine."""
