"""OpenSearch 2.19.1, the one that is run with its security plugin."""

from __future__ import annotations

from opensearch_lsr.local import release_2_19

_PINS = {
    "opensearch": (51391430, "af7152d8b7f6f1cee09d47276b32b70479fe6dd8cdbb61213f84eb7f8098b261"),
    "opensearch-job-scheduler": (3318495, "a54e12582b88a4c173d6e58b16fbc609df12a04eff010ae30396905a1a882bf6"),
    "opensearch-knn": (5888095, "eab8c9818865bc035212eab5068cdacae164baa09d4c152f49b736d6f6b0e85c"),
    "opensearch-ml-plugin": (362924991, "2324234d81109dcb2c488da5a6b2034cc0f78d9d08e40ce49ba59fc423a5df5f"),
    "neural-search": (8434600, "b17ca1d774692902c58cbae102bf463970740c31d81446866e8eabd336e285aa"),
    "opensearch-security": (43828219, "94a04f12ac6033902209fac1e4e512618d45beee604bbf0e42c3ed79c55220cf"),
    "lang-painless": (719758, "3cf5e02efa40ff5b88e74e1ab66a0bc462de3509fab4a6a4ffe90b8d13777a9a"),
    "opensearch-scripting-painless-spi": (30407, "c2598797a5f6f897ce7e8d05f593ff96de3fbc56c52f299d63cddcae41556dda"),
    "analysis-common": (199627, "13fdc1071af42946b13153a62491a5e9b0ad214d44f7c8153d3afef60f558821"),
    "ingest-common": (154112, "8baa5b133f3693265555fb6467deb105877d329e42d2c6a2d496239b8e406461"),
    "opensearch-dissect": (23627, "25cf8949ac696c389119fe6dd2039241f522abdd46955108f86952f99fced68d"),
    "opensearch-grok": (49558, "33f7fb192c89ebdea39184f73a3edcab00419cac5e6c53c6f48d9028ac0e8647"),
    "mapper-extras-client": (84960, "93e85f305ddc3070fea5b83cc8d962bdcd30df20638352b02cf57276cc2bc5d5"),
    "reindex-client": (122355, "eb2056ee54ac367f8820d5c13fa5cea2d10bb492b01f4d1a15a6dce163bf82ce"),
    "opensearch-ssl-config": (68124, "30fe6a20a08004044be90abdf0e711313b7dfe2e5c7b12ac32498ae8e1cae927"),
    "opensearch-rest-client": (93850, "6ab691dc6cb2c12802bb9024df3379bd1779a2b626d3bd7b27ed5f974cbc1708"),
    "commons-codec": (365463, "ec87bfb55f22cbd1b21e2190eeda28b2b312ed2a431ee49fbdcc01812d04a5e4"),
}

RELEASE = release_2_19.release("2.19.1", "1.16.1", _PINS)
