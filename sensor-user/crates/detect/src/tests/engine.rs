//! The engine's own promises: time, campaigns, caps, exclusions, restarts.
