"""What a running process needs: settings, logging, metrics, health, private servers and the embedded stack."""
