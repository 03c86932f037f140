"""What live browsers send, against what this client sends with the profiles captured from them: `make fidelity`."""
