"""OpenSearch 2.19.x. Its published zip has no module but the transport: those that are needed come as jars.

What the patch releases share is here; one file each pins what is their own.
"""

from __future__ import annotations

from collections.abc import Mapping

from opensearch_lsr.local.additions import BREAK_ITERATORS, DJL_0_31_1
from opensearch_lsr.local.artifacts import Artifact
from opensearch_lsr.local.release import Module, Release

Pins = Mapping[str, tuple[int, str]]  # artifact → bytes, SHA-256

_CORE, _PLUGIN, _CLIENT = "org.opensearch", "org.opensearch.plugin", "org.opensearch.client"
_ASM, _HTTP = "org.ow2.asm", "org.apache.httpcomponents"
# in the order of their dependencies; not every patch release has its security plugin published
_PLUGINS = (
    "opensearch-job-scheduler",
    "opensearch-knn",
    "opensearch-ml-plugin",
    "neural-search",
    "opensearch-security",
)

_PAINLESS = (
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
)  # fmt: skip
_GROK = (
    Artifact(
        "org.jruby.joni", "joni", "2.2.1", "jar", 230217,
        "b3e4b657a3ed1d8f684114f6baa462d553a5932a865c1574695498dda8577748",
    ),
    Artifact(
        "org.jruby.jcodings", "jcodings", "1.0.61", "jar", 1740543,
        "3238c68a2f86cec53cc184ad26df8352db87bb22a419bd17fb4acdfbb0bc40f0",
    ),
)  # fmt: skip
_HTTP_CLIENT = (
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
)  # fmt: skip
_LOGGING = Artifact(
    "commons-logging", "commons-logging", "1.2", "jar", 61829,
    "daddea1ea0be0f56978ab3006b8ac92834afeefbd9b7e4e6316fca57df0fa636",
)  # fmt: skip


def release(version: str, codec: str, pins: Pins) -> Release:
    """A patch release.

    Args:
        version: its own.
        codec: of commons-codec.
        pins: of the server, its plugins, the jars that have its version, and commons-codec.
    """

    def pinned(group: str, name: str, of: str = version, packaging: str = "jar") -> Artifact:
        return Artifact(group, name, of, packaging, *pins[name])

    modules = (
        Module(
            name="lang-painless",
            class_name="org.opensearch.painless.PainlessPlugin",
            jars=(
                pinned(_PLUGIN, "lang-painless"),
                pinned(_PLUGIN, "opensearch-scripting-painless-spi"),
                *_PAINLESS,
            ),
            permissions=(
                'java.lang.RuntimePermission "createClassLoader"',  # scripts become classes
                'java.lang.RuntimePermission "getClassLoader"',
            ),
        ),
        Module(
            name="analysis-common",
            class_name="org.opensearch.analysis.common.CommonAnalysisPlugin",
            jars=(pinned(_PLUGIN, "analysis-common"),),
            extends=("lang-painless",),
        ),
        Module(
            name="ingest-common",
            class_name="org.opensearch.ingest.common.IngestCommonPlugin",
            jars=(
                pinned(_PLUGIN, "ingest-common"),
                pinned(_CORE, "opensearch-dissect"),
                pinned(_CORE, "opensearch-grok"),
                *_GROK,
            ),
            extends=("lang-painless",),
        ),
        Module(
            name="mapper-extras",
            class_name="org.opensearch.index.mapper.MapperExtrasPlugin",
            jars=(pinned(_PLUGIN, "mapper-extras-client"),),
        ),
        Module(
            name="reindex",
            class_name="org.opensearch.index.reindex.ReindexPlugin",
            jars=(
                pinned(_PLUGIN, "reindex-client"),
                pinned(_CORE, "opensearch-ssl-config"),
                pinned(_CLIENT, "opensearch-rest-client"),
                *_HTTP_CLIENT,
                pinned("commons-codec", "commons-codec", codec),
                _LOGGING,
            ),
        ),
    )
    return Release(
        version=version,
        server=pinned("org.opensearch.distribution.integ-test-zip", "opensearch", packaging="zip"),
        plugins=tuple(pinned(_PLUGIN, name, f"{version}.0", "zip") for name in _PLUGINS if name in pins),
        libraries=BREAK_ITERATORS,
        natives=DJL_0_31_1,
        modules=modules,
        permissions=('java.lang.RuntimePermission "localeServiceProvider"',),  # break iterators are such providers
        environment={"PYTORCH_VERSION": "2.5.1"},  # ML Commons wants 1.13.1; this DJL's bridge to it is not published
        newest_java=23,  # it starts with a security manager, which Java 24 refuses
    )
