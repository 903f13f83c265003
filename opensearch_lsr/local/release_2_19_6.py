"""OpenSearch 2.19.6."""

from __future__ import annotations

from opensearch_lsr.local import release_2_19

_PINS = {
    "opensearch": (56380515, "71d6d8b1c637f3faecda0752b184b1cc526fc6eaad59ec1408c6327bb00b9293"),
    "opensearch-job-scheduler": (3319257, "c0172f2fb94c0819bbeb9bf21db694e26e285de4dddc9461759d0e0246c998e8"),
    "opensearch-knn": (6257288, "c21b9565624d29fd4024e3a3902712349006cb7894a73c45d976756a761e628f"),
    "opensearch-ml-plugin": (375221604, "d0f4c2457ca5557d94ebd7c5e8d650b34326df54ad85851cc2eca0dd86e30d10"),
    "neural-search": (7964692, "b38b136b280a219d7f4495dd5d7e11e92a528b874fe940fc8502b8a5c599c820"),
    "lang-painless": (719760, "e71e6c7ef99a6f5958cd0b25367acf472cc52cd49d29e13084c5ff0b5931f717"),
    "opensearch-scripting-painless-spi": (30409, "84e545b968151739f1915cfd2db24bf873edfd317d2848b87b61d0d60ec70869"),
    "analysis-common": (199629, "187378844d92a043b935038f9ae168f7812f686b1c1c7128f8b97731baff8a1a"),
    "ingest-common": (154115, "41362d471b010131e6f8fbefd0b5f53ba64bcf225acb287dd7f474ad475098fe"),
    "opensearch-dissect": (23630, "526c99b4a8b8f191263460f98a31ceec7d94bf059a1bb1b608f130921af827c4"),
    "opensearch-grok": (49561, "9ea35b11039233fc5951813632b60a325cadfddc593d75aae1ffe41f210bf0d1"),
    "mapper-extras-client": (84960, "4a486870432b71a190dca3aaba91f1fba58837e4a4146b2982e8a938164a9a34"),
    "reindex-client": (122357, "431d1037eadaa1fc144155b9397d4781d7b68e5b4700f68735c6a97bf52defff"),
    "opensearch-ssl-config": (68126, "93e27cba4a85bc751f68a0c70146f341008ff6c63bfa43d5d3a41cbd4a99d59c"),
    "opensearch-rest-client": (93852, "225987b8fd88db60f0aade505bd55b1321eb302f942e15874e2192f2d47a1d98"),
    "commons-codec": (373045, "ba005f304cef92a3dede24a38ad5ac9b8afccf0d8f75839d6c1338634cf7f6e4"),
}

RELEASE = release_2_19.release("2.19.6", "1.18.0", _PINS)
