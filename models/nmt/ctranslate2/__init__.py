"""Translation with models in CTranslate2's format: NLLB-200, Opus-MT and MADLAD-400."""
