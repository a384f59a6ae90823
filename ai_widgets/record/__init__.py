"""The record of a session: its events, its audio, and what is made from them."""
