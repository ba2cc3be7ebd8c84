"""What a process needs to run: settings, logging, metrics, health, private servers, the embedded stack."""
