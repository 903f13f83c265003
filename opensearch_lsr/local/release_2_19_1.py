"""OpenSearch 2.19.1. Its published zip has no module but the transport: those that are needed come as jars."""

from __future__ import annotations

from opensearch_lsr.local.additions import BREAK_ITERATORS, DJL_0_31_1
from opensearch_lsr.local.artifacts import Artifact
from opensearch_lsr.local.release import Module, Release

_VERSION = "2.19.1"
_CORE, _PLUGIN = "org.opensearch", "org.opensearch.plugin"
_ASM, _HTTP = "org.ow2.asm", "org.apache.httpcomponents"

_MODULES = (
    Module(
        name="lang-painless",
        class_name="org.opensearch.painless.PainlessPlugin",
        jars=(
            Artifact(
                _PLUGIN, "lang-painless", _VERSION, "jar", 719758,
                "3cf5e02efa40ff5b88e74e1ab66a0bc462de3509fab4a6a4ffe90b8d13777a9a",
            ),
            Artifact(
                _PLUGIN, "opensearch-scripting-painless-spi", _VERSION, "jar", 30407,
                "c2598797a5f6f897ce7e8d05f593ff96de3fbc56c52f299d63cddcae41556dda",
            ),
            Artifact(
                "org.antlr", "antlr4-runtime", "4.13.1", "jar", 326305,
                "54665d2838cc66458343468efc539e454fc95b46a8a04b13c6ac43fc9be63505",
            ),
            Artifact(
                _ASM, "asm", "9.7", "jar", 125428,
                "adf46d5e34940bdf148ecdd26a9ee8eea94496a72034ff7141066b3eea5c4e9d",
            ),
            Artifact(
                _ASM, "asm-analysis", "9.7", "jar", 34776,
                "7bc6bcbc21379948a0c8c467fb0f864206e5b818f6bc0b546872f5c9f941556f",
            ),
            Artifact(
                _ASM, "asm-commons", "9.7", "jar", 73426,
                "389bc247958e049fc9a0408d398c92c6d370c18035120395d4cba1d9d9304b7a",
            ),
            Artifact(
                _ASM, "asm-tree", "9.7", "jar", 51934,
                "62f4b3bc436045c1acb5c3ba2d8ec556ec3369093d7f5d06c747eb04b56d52b1",
            ),
            Artifact(
                _ASM, "asm-util", "9.7", "jar", 93784,
                "37a6414d36641973f1af104937c95d6d921b2ddb4d612c66c5a9f2b13fc14211",
            ),
        ),
        permissions=(
            'java.lang.RuntimePermission "createClassLoader"',  # scripts become classes
            'java.lang.RuntimePermission "getClassLoader"',
        ),
    ),
    Module(
        name="analysis-common",
        class_name="org.opensearch.analysis.common.CommonAnalysisPlugin",
        jars=(
            Artifact(
                _PLUGIN, "analysis-common", _VERSION, "jar", 199627,
                "13fdc1071af42946b13153a62491a5e9b0ad214d44f7c8153d3afef60f558821",
            ),
        ),
        extends=("lang-painless",),
    ),
    Module(
        name="ingest-common",
        class_name="org.opensearch.ingest.common.IngestCommonPlugin",
        jars=(
            Artifact(
                _PLUGIN, "ingest-common", _VERSION, "jar", 154112,
                "8baa5b133f3693265555fb6467deb105877d329e42d2c6a2d496239b8e406461",
            ),
            Artifact(
                _CORE, "opensearch-dissect", _VERSION, "jar", 23627,
                "25cf8949ac696c389119fe6dd2039241f522abdd46955108f86952f99fced68d",
            ),
            Artifact(
                _CORE, "opensearch-grok", _VERSION, "jar", 49558,
                "33f7fb192c89ebdea39184f73a3edcab00419cac5e6c53c6f48d9028ac0e8647",
            ),
            Artifact(
                "org.jruby.joni", "joni", "2.2.1", "jar", 230217,
                "b3e4b657a3ed1d8f684114f6baa462d553a5932a865c1574695498dda8577748",
            ),
            Artifact(
                "org.jruby.jcodings", "jcodings", "1.0.61", "jar", 1740543,
                "3238c68a2f86cec53cc184ad26df8352db87bb22a419bd17fb4acdfbb0bc40f0",
            ),
        ),
        extends=("lang-painless",),
    ),
    Module(
        name="mapper-extras",
        class_name="org.opensearch.index.mapper.MapperExtrasPlugin",
        jars=(
            Artifact(
                _PLUGIN, "mapper-extras-client", _VERSION, "jar", 84960,
                "93e85f305ddc3070fea5b83cc8d962bdcd30df20638352b02cf57276cc2bc5d5",
            ),
        ),
    ),
    Module(
        name="reindex",
        class_name="org.opensearch.index.reindex.ReindexPlugin",
        jars=(
            Artifact(
                _PLUGIN, "reindex-client", _VERSION, "jar", 122355,
                "eb2056ee54ac367f8820d5c13fa5cea2d10bb492b01f4d1a15a6dce163bf82ce",
            ),
            Artifact(
                _CORE, "opensearch-ssl-config", _VERSION, "jar", 68124,
                "30fe6a20a08004044be90abdf0e711313b7dfe2e5c7b12ac32498ae8e1cae927",
            ),
            Artifact(
                "org.opensearch.client", "opensearch-rest-client", _VERSION, "jar", 93850,
                "6ab691dc6cb2c12802bb9024df3379bd1779a2b626d3bd7b27ed5f974cbc1708",
            ),
            Artifact(
                _HTTP, "httpclient", "4.5.14", "jar", 785639,
                "c8bc7e1c51a6d4ce72f40d2ebbabf1c4b68bfe76e732104b04381b493478e9d6",
            ),
            Artifact(
                _HTTP, "httpcore", "4.4.16", "jar", 327891,
                "6c9b3dd142a09dc468e23ad39aad6f75a0f2b85125104469f026e52a474e464f",
            ),
            Artifact(
                _HTTP, "httpasyncclient", "4.1.5", "jar", 181512,
                "0c1877489a9d1ba4fa50f6cfcab11d1123618858cb31d56afaab5afdd5064d99",
            ),
            Artifact(
                _HTTP, "httpcore-nio", "4.4.16", "jar", 368896,
                "4018736ede2d321034e8517ea90baefb31831a8608afccc446d8a699fb1d00d4",
            ),
            Artifact(
                "commons-codec", "commons-codec", "1.16.1", "jar", 365463,
                "ec87bfb55f22cbd1b21e2190eeda28b2b312ed2a431ee49fbdcc01812d04a5e4",
            ),
            Artifact(
                "commons-logging", "commons-logging", "1.2", "jar", 61829,
                "daddea1ea0be0f56978ab3006b8ac92834afeefbd9b7e4e6316fca57df0fa636",
            ),
        ),
    ),
)  # fmt: skip

RELEASE = Release(
    version=_VERSION,
    server=Artifact(
        "org.opensearch.distribution.integ-test-zip", "opensearch", _VERSION, "zip", 51391430,
        "af7152d8b7f6f1cee09d47276b32b70479fe6dd8cdbb61213f84eb7f8098b261",
    ),
    plugins=(
        Artifact(
            _PLUGIN, "opensearch-job-scheduler", f"{_VERSION}.0", "zip", 3318495,
            "a54e12582b88a4c173d6e58b16fbc609df12a04eff010ae30396905a1a882bf6",
        ),
        Artifact(
            _PLUGIN, "opensearch-knn", f"{_VERSION}.0", "zip", 5888095,
            "eab8c9818865bc035212eab5068cdacae164baa09d4c152f49b736d6f6b0e85c",
        ),
        Artifact(
            _PLUGIN, "opensearch-ml-plugin", f"{_VERSION}.0", "zip", 362924991,
            "2324234d81109dcb2c488da5a6b2034cc0f78d9d08e40ce49ba59fc423a5df5f",
        ),
        Artifact(
            _PLUGIN, "neural-search", f"{_VERSION}.0", "zip", 8434600,
            "b17ca1d774692902c58cbae102bf463970740c31d81446866e8eabd336e285aa",
        ),
        Artifact(
            _PLUGIN, "opensearch-security", f"{_VERSION}.0", "zip", 43828219,
            "94a04f12ac6033902209fac1e4e512618d45beee604bbf0e42c3ed79c55220cf",
        ),
    ),
    libraries=BREAK_ITERATORS,
    natives=DJL_0_31_1,
    modules=_MODULES,
    permissions=('java.lang.RuntimePermission "localeServiceProvider"',),  # break iterators are such providers
    environment={"PYTORCH_VERSION": "2.5.1"},  # ML Commons wants 1.13.1, for which this DJL's bridge is not published
    newest_java=23,  # it starts with a security manager, which Java 24 refuses
)  # fmt: skip
