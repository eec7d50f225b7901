"""Model runtimes of Dragoman: batch-first, without Ray and without HTTP."""
