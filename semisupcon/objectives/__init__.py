"""Targets, similarities and the one loss over them. Knows no encoder, no corpus, no trainer."""
