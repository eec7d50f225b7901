"""Work on texts around their translation: sentences, and parts that are not prose."""
