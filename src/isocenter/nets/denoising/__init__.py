"""Noise taken out of one image by what the image itself shows. Networks that learned it are models like others."""
