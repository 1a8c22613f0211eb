"""What platforms use: the publishing client and the schemas."""
