"""State vectors over diagonal costs, for the adapters that simulate quantum computers: 2^N amplitudes, exactly."""
