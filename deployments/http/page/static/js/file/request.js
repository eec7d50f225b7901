// The request of the File tab: its fields, by what was chosen and what is wanted.

export const PATH = "/v1/speech/translations";
export const SUBTITLES = ["srt", "vtt", "ttml", "ass"];
export const FILM = ["mp4", "mkv", "webm"];
export const SPOKEN = ["mp3", "wav", "opus", "flac"];

/**
 * Return the fields of a request as pairs.
 * `format` is "page" for sentences as they come, "json" for all of it at once, or a file's.
 */
export function fieldsOf({ source, target, voice, glossary, ...dubbing }, format) {
  const fields = { target_language: target, source_language: source };
  fields.glossary = typeof glossary === "string" ? glossary : glossary && JSON.stringify(glossary);
  if (SUBTITLES.includes(format)) {
    Object.assign(fields, { response_format: format, bilingual: dubbing.bilingual });
  } else {
    fields.voice = voice;
    if (format === "page") Object.assign(fields, { audio_format: "mp3", stream: true });
    else {
      fields[format === "json" ? "audio_format" : "response_format"] = format === "json" ? "mp3" : format;
      fields.fit = dubbing.fit && "duration";
      fields.background = dubbing.background && "duck";
      fields.subtitles = dubbing.embed && FILM.includes(format);
    }
  }
  return Object.entries(fields).flatMap(([name, value]) => (value ? [[name, String(value)]] : []));
}
