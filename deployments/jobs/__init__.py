"""Work on recordings of any length: read, cut at silences, worked on part by part, joined."""
