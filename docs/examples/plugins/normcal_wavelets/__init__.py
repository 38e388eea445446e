"""Wavelet activations for normcal: installed beside it, they are in every command."""
