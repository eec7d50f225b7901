"""Dynamic batching where requests arrive: pure asyncio, without Ray and without HTTP."""
