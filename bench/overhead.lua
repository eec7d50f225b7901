-- 1 s of 16 kHz int16 audio as a raw body; the answer is 192 float32.
wrk.method = "POST"
wrk.body = string.rep("\1\0", 16000)
wrk.headers["Content-Type"] = "audio/pcm; rate=16000"
wrk.headers["Accept"] = "application/octet-stream"
