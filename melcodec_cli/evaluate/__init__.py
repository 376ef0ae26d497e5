"""Measures this codec and its peers on speech, and makes a page where people look and listen."""
