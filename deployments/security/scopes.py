"""List the scopes that open each method and path; a key needs one of them."""

from __future__ import annotations

from collections.abc import Mapping

from deployments.config.security import SCOPES, Scope

Scopes = frozenset[Scope]

NOBODY_ASKED: Scopes = frozenset()  # no key is needed
INFER: Scopes = frozenset({"infer"})
ADMIN: Scopes = frozenset({"admin"})
METRICS: Scopes = frozenset({"metrics"})
STATISTICS: Scopes = INFER | METRICS
ANY: Scopes = frozenset(SCOPES)

MODEL_CONTROL: Mapping[tuple[str, str], Scopes] = {  # security.model_control switches these off
    ("POST", "/v2/repository/models/{name}/load"): ADMIN,
    ("POST", "/v2/repository/models/{name}/unload"): ADMIN,
}
RIGHTS: Mapping[tuple[str, str], Scopes] = {
    # health
    ("GET", "/health/live"): NOBODY_ASKED,
    ("GET", "/health/ready"): NOBODY_ASKED,
    ("GET", "/v2/health/live"): NOBODY_ASKED,
    ("GET", "/v2/health/ready"): NOBODY_ASKED,
    # the page
    ("GET", "/"): NOBODY_ASKED,
    ("GET", "/page/{name:path}"): NOBODY_ASKED,
    # how to ask
    ("GET", "/openapi.json"): NOBODY_ASKED,
    ("GET", "/docs"): NOBODY_ASKED,
    ("GET", "/docs/{name}"): NOBODY_ASKED,
    # work
    ("POST", "/v1/speech/translations"): INFER,
    ("POST", "/v1/text/translations"): INFER,
    ("POST", "/v1/text/detections"): INFER,
    ("POST", "/v1/audio/transcriptions"): INFER,
    ("POST", "/v1/audio/translations"): INFER,
    ("POST", "/v1/audio/speech"): INFER,
    ("POST", "/v1/audio/embeddings"): INFER,
    ("POST", "/v2/models/{name}/infer"): INFER,
    ("POST", "/v2/models/{name}/versions/{version}/infer"): INFER,
    # shared memory
    ("GET", "/v2/systemsharedmemory/status"): INFER,
    ("GET", "/v2/systemsharedmemory/region/{name}/status"): INFER,
    ("POST", "/v2/systemsharedmemory/region/{name}/register"): INFER,
    ("POST", "/v2/systemsharedmemory/region/{name}/unregister"): INFER,
    ("POST", "/v2/systemsharedmemory/unregister"): INFER,
    ("GET", "/v2/cudasharedmemory/status"): INFER,
    ("GET", "/v2/cudasharedmemory/region/{name}/status"): INFER,
    ("POST", "/v2/cudasharedmemory/region/{name}/register"): INFER,
    ("POST", "/v2/cudasharedmemory/region/{name}/unregister"): INFER,
    ("POST", "/v2/cudasharedmemory/unregister"): INFER,
    # what callers keep here
    ("POST", "/v1/audio/voices"): INFER,
    ("DELETE", "/v1/audio/voices/{id}"): INFER,
    ("GET", "/v1/audio/voices/{id}/sample"): INFER,
    ("GET", "/v1/audio/voice_consents"): INFER,
    ("POST", "/v1/audio/voice_consents"): INFER,
    ("GET", "/v1/audio/voice_consents/{id}"): INFER,
    ("POST", "/v1/audio/voice_consents/{id}"): INFER,
    ("DELETE", "/v1/audio/voice_consents/{id}"): INFER,
    ("GET", "/v1/glossaries"): INFER,
    ("POST", "/v1/glossaries"): INFER,
    ("GET", "/v1/glossaries/{id}"): INFER,
    ("DELETE", "/v1/glossaries/{id}"): INFER,
    # jobs
    ("POST", "/v1/jobs"): INFER,
    ("GET", "/v1/jobs"): INFER,
    ("GET", "/v1/jobs/{id}"): INFER,
    ("GET", "/v1/jobs/{id}/result"): INFER,
    ("DELETE", "/v1/jobs/{id}"): INFER,
    # live
    ("GET", "/v1/realtime"): INFER,
    ("GET", "/v1/realtime/translations"): INFER,
    ("GET", "/v1/realtime/follow"): INFER,
    ("GET", "/v1/realtime/languages"): INFER,
    ("POST", "/v1/realtime/client_secrets"): INFER,
    ("POST", "/v1/realtime/translations/client_secrets"): INFER,
    ("POST", "/v1/realtime/listen_tokens"): INFER,
    # lists
    ("GET", "/v1/models"): ANY,
    ("GET", "/v1/models/{name:path}"): ANY,
    ("GET", "/v1/voices"): ANY,
    ("GET", "/v1/audio/models"): ANY,
    ("GET", "/v1/audio/voices"): ANY,
    ("GET", "/v1/audio/consent_texts"): ANY,
    ("GET", "/v2"): ANY,
    ("GET", "/v2/models/{name}"): ANY,
    ("GET", "/v2/models/{name}/versions/{version}"): ANY,
    ("GET", "/v2/models/{name}/ready"): ANY,
    ("GET", "/v2/models/{name}/versions/{version}/ready"): ANY,
    ("GET", "/v2/models/{name}/config"): ANY,
    ("GET", "/v2/models/{name}/versions/{version}/config"): ANY,
    ("POST", "/v2/repository/index"): ANY,
    # figures
    ("GET", "/metrics"): METRICS,
    ("GET", "/v2/models/stats"): STATISTICS,
    ("GET", "/v2/models/{name}/stats"): STATISTICS,
    ("GET", "/v2/models/{name}/versions/{version}/stats"): STATISTICS,
    # the server itself
    ("GET", "/v1/doctor"): ADMIN,
    ("GET", "/v1/realtime/sessions"): ADMIN,
    ("DELETE", "/v1/realtime/sessions/{id}"): ADMIN,
    **MODEL_CONTROL,
}
